"""`wattoken tariffs` and `wattoken statement`: prices and bills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.root import app

tariffs = typer.Typer(help="The prices: check, list, show.", no_args_is_help=True)
app.add_typer(tariffs, name="tariffs")


@tariffs.command("check")
def check_tariffs(as_json: Json = False) -> None:
    """Find gaps, overlaps and models without a price; exit 1 if there are errors."""
    from services.billing.commands import check_tariffs as run

    if not run(as_json=as_json):
        raise typer.Exit(1)


@tariffs.command("list")
def list_tariffs(
    model: Annotated[str | None, typer.Option(help="Only those that fit this model.")] = None,
    as_json: Json = False,
) -> None:
    """List the tariffs of the catalogue."""
    from services.billing.commands import list_tariffs as run

    run(model, as_json=as_json)


@tariffs.command("show")
def show_tariff(tariff: str, as_json: Json = False) -> None:
    """Show one tariff: every price, when it holds, and where it is from."""
    from services.billing.commands import show_tariff as run

    run(tariff, as_json=as_json)


@app.command()
def statement(
    tenant: Annotated[str, typer.Argument(help="The customer.")],
    period: Annotated[str, typer.Argument(help="The month (UTC), such as 2026-11.")],
    html: Annotated[Path | None, typer.Option(help="Write the bill as an HTML page.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the bill as a PDF.")] = None,
    as_json: Json = False,
) -> None:
    """Print what a tenant used and owes for a month, to the last digit."""
    from services.billing.commands import show_statement

    show_statement(tenant, period, as_json=as_json, html=html, pdf=pdf)
