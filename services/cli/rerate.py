"""`wattoken tariffs rerate`: what other prices would change."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.bills import tariffs
from services.cli.options import Json


@tariffs.command("rerate")
def rerate(
    folder: Annotated[
        Path, typer.Argument(help="A catalogue, as WATTOKEN_CATALOGUE_DIR names one.")
    ],
    start: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (UTC).")
    ],
    end: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The first day after it.")
    ],
    tenant: Annotated[str | None, typer.Option(help="Only this customer's charges.")] = None,
    as_json: Json = False,
) -> None:
    """Show what a corrected price list would change of past charges, before it is loaded."""
    from services.billing.rerate_commands import rerate as run

    run(folder, start=start.date(), end=end.date(), tenant=tenant, as_json=as_json)
