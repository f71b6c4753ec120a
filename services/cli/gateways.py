"""`wattoken gateways`: what gateways send."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.root import app

gateways = typer.Typer(
    help="What gateways send: numbers that nobody knows, and how each is classed.",
    no_args_is_help=True,
)
app.add_typer(gateways, name="gateways")


@gateways.command("unread")
def list_unread(
    url: Annotated[
        list[str] | None,
        typer.Option(envvar="WATTOKEN_INGEST_URL", help="An ingest; may be given often."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List numbers in usage objects that ingest met and that no register knows."""
    from services.ingest.unread_report import show_unread

    # The setting has several with commas between, as `wattoken doctor` reads it.
    urls = [part for one in url or () for part in one.split(",") if part]
    show_unread(urls or ["http://127.0.0.1:8080"], as_json=as_json)


@gateways.command("fields")
def list_fields(
    usage_format: Annotated[
        str | None, typer.Argument(help="A usage_format; all where none is given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List every field of usage objects that is known, and its class."""
    from services.ingest.unread_report import show_fields

    show_fields(usage_format, as_json=as_json)
