"""`wattoken reconcile`: a provider's bill against what was metered."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.root import app
from services.platform.errors import ConfigurationError

DAYS = ["%Y-%m-%d"]
MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


@app.command()
def reconcile(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="The bill: an export, or usage and costs."),
    ],
    provider: Annotated[
        str | None, typer.Option(help="Who billed, where the file names none or another.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's usage is billed.")] = None,
    region: Annotated[str | None, typer.Option(help="Only this region's usage is billed.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAYS, help="Compare from this day, UTC.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=DAYS, help="And before this day.")
    ] = None,
    made_at: Annotated[
        datetime | None,
        typer.Option(
            "--exported-at",
            formats=MOMENTS,
            help="When the file was made, UTC: what was metered since is not on it.",
        ),
    ] = None,
    tolerance: Annotated[
        str, typer.Option(metavar="PERCENT", help="How much may be out of place for exit code 0.")
    ] = "0.05",
    as_json: Json = False,
) -> None:
    """Hold a provider's bill against the registers; exit 1 if they differ by more than --tolerance.

    By day, model and class. Each difference has a cause: not reported, reported twice, other price,
    other class, late, rounding; or it is unexplained. docs/reconcile.md says which files it knows.
    """
    from services.reconcile.commands import Question
    from services.reconcile.commands import reconcile as run

    question = Question(
        provider=provider,
        tenant=tenant,
        region=region,
        first=_day(first),
        end=_day(end),
        made_at=None if made_at is None else made_at.replace(tzinfo=UTC),
        tolerance_percent=_percent(tolerance),
    )
    if not run(files, question, as_json_text=as_json):
        raise typer.Exit(1)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _percent(text: str) -> Decimal:
    """Read a percentage as it is written; raises `ConfigurationError` if it is none."""
    try:
        percent = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        percent = Decimal("NaN")
    if not percent.is_finite() or percent < 0:
        raise ConfigurationError(f"--tolerance is {text!r}: give percent, such as 0.05")
    return percent
