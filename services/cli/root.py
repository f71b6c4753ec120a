"""The command line's root, which every group of commands adds to."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="wattoken",
    help="The meter for the token economy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
