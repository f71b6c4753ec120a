"""`wattoken tariffs` and `wattoken statement`: prices and bills."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.root import app


class Format(StrEnum):
    """What the statements of all tenants may be written as."""

    PDF = "pdf"
    HTML = "html"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


tariffs = typer.Typer(help="The prices: check, list, show, explain, sync.", no_args_is_help=True)
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


@tariffs.command("sync")
def sync_tariffs(
    write: Annotated[bool, typer.Option("--write", help="Write it, after showing it.")] = False,
    whole: Annotated[bool, typer.Option("--all", help="Name every change, however many.")] = False,
    as_json: Json = False,
) -> None:
    """Take prices over from the installed genai-prices and litellm: show changes, then write."""
    from services.billing.price_lists.commands import sync

    sync(write=write, whole=whole, as_json=as_json)


@tariffs.command("disputes")
def list_disputes(as_json: Json = False) -> None:
    """List each price about which the sources of the price lists disagree."""
    from services.billing.price_lists.commands import list_disputes as run

    run(as_json=as_json)


@tariffs.command("explain")
def explain_tariffs(
    tenant: Annotated[str, typer.Option(help="The customer.")],
    hour: Annotated[str, typer.Option(help="The hour (UTC), such as 2026-11-01T10.")],
    model: Annotated[str, typer.Option(help="The model, as the bill names it.")],
    region: Annotated[str | None, typer.Option(help="Only usage in this region.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only usage at this provider.")] = None,
    service_tier: Annotated[
        str | None, typer.Option(help="Only usage of this tier; '' for what reports none.")
    ] = None,
    context_band: Annotated[
        int | None, typer.Option(help="Only requests of this band of input, such as 200000.")
    ] = None,
    token_class: Annotated[
        str | None, typer.Option(help="Only tokens of this class, such as output.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Only this unit, such as web_searches.")] = None,
    as_json: Json = False,
) -> None:
    """Say in plain words why usage of an hour costs what it does: which tariff, and which price."""
    from services.billing.explain_commands import explain_charges, parse_hour
    from services.billing.explain_queries import Asked

    labels = (region, provider, service_tier, context_band, token_class, unit)
    asked = Asked(tenant, parse_hour(hour), model, *labels)
    if not explain_charges(asked, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def statement(
    tenant: Annotated[str | None, typer.Argument(help="The customer.")] = None,
    period: Annotated[str | None, typer.Argument(help="The month (UTC), such as 2026-11.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the bill as an HTML page.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the bill as a PDF.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write its lines as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write its lines as Parquet.")] = None,
    all_period: Annotated[
        str | None,
        typer.Option("--all", metavar="PERIOD", help="The statements of all tenants of a month."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --all: the folder to write to.")] = None,
    formats: Annotated[
        list[Format],
        typer.Option("--format", help="With --all: what to write; may be given several times."),
    ] = [Format.PDF, Format.CSV],  # noqa: B006
    currency: Annotated[
        str | None, typer.Option(help="Bill in this currency, such as CNY.")
    ] = None,
    issued: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of issue; today where it is not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what a tenant used and owes for a month, to the last digit; or write it to files.

    `wattoken statement acme 2026-10 --pdf acme.pdf`, or of all tenants
    `wattoken statement --all 2026-10 --out bills`.
    """
    from services.billing.statement_commands import Request, show_statement, write_statements

    day = None if issued is None else issued.date()
    files = {"html": html, "pdf": pdf, "csv": csv, "parquet": parquet}
    given = {kind: path for kind, path in files.items() if path is not None}
    if all_period is not None:
        if tenant is not None or given or as_json or out is None:
            raise typer.BadParameter("--all takes --out and --format, and no tenant or single file")
        names = [one.value for one in formats]
        if not write_statements(Request.of(all_period, currency, day), out, names):
            raise typer.Exit(1)
        return
    if tenant is None or period is None or out is not None:
        raise typer.BadParameter("give a tenant and a month, or --all with a month and --out")
    show_statement(tenant, Request.of(period, currency, day), as_json=as_json, files=given)
