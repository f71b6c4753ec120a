"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
LetterReason = Annotated[str | None, typer.Option(help="Only those with this reason.")]
KeysFile = Annotated[
    Path, typer.Option(envvar="WATTOKEN_INGEST_KEYS_FILE", help="Where the keys are.")
]
