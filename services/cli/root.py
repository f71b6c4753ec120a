"""The command line's root, which every group of commands adds to."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from services.platform.output import say

app = typer.Typer(
    name="wattoken",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"wattoken {metadata.version('wattoken')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    """The meter for the token economy."""
