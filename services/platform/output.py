"""What a command prints: a line at a time, with what others wrote shown as it is."""

from __future__ import annotations

import sys

from services.platform.printable import shown


def say(line: object, *, err: bool = False) -> None:
    """Print one line."""
    print(shown(line), file=sys.stderr if err else sys.stdout, flush=True)
