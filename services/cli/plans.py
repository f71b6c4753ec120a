"""`wattoken compare-plans`: the same usage under another tariff, provider, region, tier or hour."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from services.cli.options import Json
from services.cli.root import app

SEVERAL: Final = "may be given several times"


@app.command("compare-plans")
def compare_plans(
    period: Annotated[str, typer.Argument(help="The month (UTC), such as 2026-10.")],
    tenant: Annotated[str | None, typer.Option(help="Only this customer's usage.")] = None,
    tariff: Annotated[
        list[str],
        typer.Option(metavar="[MODEL=]TARIFF", help=f"Bill by this tariff alone; {SEVERAL}."),
    ] = [],  # noqa: B006
    provider: Annotated[
        list[str],
        typer.Option(metavar="[OLD=]NEW", help=f"The same models of another provider; {SEVERAL}."),
    ] = [],  # noqa: B006
    model: Annotated[
        list[str],
        typer.Option(metavar="OLD=[PROVIDER,]NEW", help=f"Another model instead; {SEVERAL}."),
    ] = [],  # noqa: B006
    region: Annotated[
        list[str], typer.Option(metavar="[OLD=]NEW", help=f"Another region; {SEVERAL}.")
    ] = [],  # noqa: B006
    tier: Annotated[str | None, typer.Option(help="Another service tier, such as batch.")] = None,
    shift_hours: Annotated[
        int, typer.Option(help="So many hours later, or earlier where it is below 0.")
    ] = 0,
    currency: Annotated[
        str | None, typer.Option(help="Compare in this currency, such as CNY.")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="Show every plan, however many.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a month's usage would have cost, taken and emitted under another plan.

    Without options of its own under each that the catalogue has a price for, the least cost first:
    every other tariff, provider, region, service tier and hour of the day. Options together make
    one plan: `wattoken compare-plans 2026-10 --tenant acme --region eu-central --tier batch`.
    """
    from services.billing.plans.commands import Asked
    from services.billing.plans.commands import compare_plans as run
    from services.billing.plans.wishes import Wishes

    wishes = Wishes(
        tariffs=tuple(tariff),
        providers=tuple(provider),
        models=tuple(model),
        regions=tuple(region),
        tier=tier,
        shift_hours=shift_hours,
    )
    run(Asked.of(period, tenant, wishes, currency), whole=whole, as_json=as_json)
