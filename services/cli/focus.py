"""`wattoken focus`: charges for the tools of finance."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.root import app


class Grain(StrEnum):
    """How long a charge period is."""

    HOUR = "hour"
    DAY = "day"


class Format(StrEnum):
    """What the file is."""

    CSV = "csv"
    PARQUET = "parquet"


@app.command()
def focus(
    period: Annotated[str, typer.Argument(help="The month (UTC), such as 2026-11.")],
    out: Annotated[Path, typer.Option(help="The file to write; its metadata go beside it.")],
    tenant: Annotated[str | None, typer.Option(help="Only this customer's charges.")] = None,
    grain: Annotated[Grain, typer.Option("--by", help="Charge periods of an hour, or a day.")] = (
        Grain.DAY
    ),
    format: Annotated[Format, typer.Option(help="CSV, or Parquet with exact decimals.")] = (
        Format.CSV
    ),
    issuer: Annotated[
        str | None,
        typer.Option(help="InvoiceIssuerName; the issuer of the statements where it is not given."),
    ] = None,
    refuse_unpriced: Annotated[
        bool, typer.Option("--refuse-unpriced", help="Fail where usage has no price.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a month's charges in the FOCUS 1.4 format, summing to the statements to the digit."""
    from services.billing.focus.commands import export_focus

    export_focus(
        period,
        out=out,
        tenant=tenant,
        grain=grain.value,
        format=format.value,
        issuer=issuer,
        refuse_unpriced=refuse_unpriced,
        as_json=as_json,
    )
