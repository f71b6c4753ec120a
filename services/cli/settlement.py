"""`wattoken settle`, `compare-runs` and `verify`: settlement runs, and bills to be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.root import app

Period = Annotated[str, typer.Argument(help="The month (UTC), such as 2026-10.")]


@app.command()
def settle(
    period: Period,
    run: Annotated[str, typer.Option(help="SF, R1, R2, R3 or RF; each follows the one before.")],
    offsets: Annotated[
        Path | None,
        typer.Option(help="Settle at this offset vector (JSON), not at what is metered by now."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Print this customer's bill, byte for byte.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write all bills to this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Freeze a month's bills, signed and in a Merkle log; a run that was made is given as it was.

    `wattoken settle 2026-10 --run SF --out bills`. docs/settlement.md says what each run is for.
    """
    from services.settlement.commands import Given
    from services.settlement.commands import settle as run_it

    run_it(Given(period, run, offsets, tenant, out, as_json))


@app.command("compare-runs")
def compare_runs(
    period: Period,
    first: Annotated[str, typer.Argument(help="The earlier run, such as SF.")],
    second: Annotated[str, typer.Argument(help="The later run, such as R1.")],
    tenant: Annotated[str | None, typer.Option(help="Only this customer's bills.")] = None,
    as_json: Json = False,
) -> None:
    """Explain line by line what two runs differ by; exit 1 if anything is left unexplained.

    By late events of each gateway and day, by adjustments, and by corrections of prices.
    """
    from services.settlement.compare_commands import compare_runs as run_it

    if not run_it(period, first, second, tenant=tenant, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def verify(
    bill: Annotated[Path, typer.Argument(help="A bill that `wattoken settle` gave out.")],
    key: Annotated[
        Path | None,
        typer.Option(help="The public key of who billed, as they published it."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(help="The bill of the run before: the log must go on from it."),
    ] = None,
    earlier_key: Annotated[
        Path | None, typer.Option(help="The public key of that one, where it was another.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a settled bill, without database or network; exit 1 if it is not what was settled."""
    from services.verify.commands import verify_bill

    given = {"key": key, "earlier": earlier, "earlier_key": earlier_key}
    if not verify_bill(bill, **given, as_json=as_json):
        raise typer.Exit(1)
