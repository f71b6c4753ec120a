"""Commands that send events and hold the meter to them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.cli.options import Json
from services.cli.root import app
from services.platform.errors import ConfigurationError

Via = Literal["http", "kafka"]
Scenario = Literal["token-era"]
Ratio = typer.Option(min=0, max=1, help="Part of the events.")
IngestUrl = Annotated[str, typer.Option(envvar="WATTOKEN_INGEST_URL", help="Where ingest is.")]
IngestCa = Annotated[
    Path | None,
    typer.Option("--ca-file", help="Authority (PEM) that signed the certificate of ingest."),
]
ApiKey = Annotated[
    str | None, typer.Option(envvar="WATTOKEN_SIMULATOR_KEY", help="The API key to send with.")
]
KeyTenant = Annotated[str | None, typer.Option(help="The tenant that --key stands for.")]
ApiKeys = Annotated[Path | None, typer.Option(help="Folder of <tenant>.key files.")]
LedgerPath = Annotated[Path | None, typer.Option(help="File to record what was sent in.")]
MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


@app.command()
def simulate(
    rate: Annotated[float, typer.Option(min=0.001, help="New events a second.")] = 1000.0,
    duration: Annotated[float, typer.Option(min=0.001, help="Seconds.")] = 30.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same readings.")] = 1,
    via: Annotated[Via, typer.Option(help="Through ingest, or straight onto the topic.")] = "kafka",
    fast: Annotated[bool, typer.Option(help="As fast as it goes, event times just past.")] = False,
    gateways: Annotated[int, typer.Option(min=1, help="Gateways that report.")] = 28,
    duplicates: Annotated[float, Ratio] = 0.02,
    disorder: Annotated[float, Ratio] = 0.05,
    late: Annotated[float, Ratio] = 0.01,
    poison: Annotated[float, Ratio] = 0.001,
    too_old: Annotated[float, Ratio] = 0.0002,
    too_new: Annotated[float, Ratio] = 0.0002,
    adjustments: Annotated[float, Ratio] = 0.0,
    url: IngestUrl = "http://127.0.0.1:8080",
    ca_file: IngestCa = None,
    key: ApiKey = None,
    tenant: KeyTenant = None,
    keys: ApiKeys = None,
    ledger: LedgerPath = None,
    scenario: Annotated[
        Scenario | None,
        typer.Option(
            help="Instead of a fleet, backfill the weeks in which Chinese models overtook the US's;"
            " of the options above, only --seed and the way there count."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="A scenario's last Sunday; default 2026-03-15."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a simulated fleet of gateways, and keep a ledger of what it sent."""
    from services.simulator import commands
    from services.simulator.delivery import now_ms
    from services.simulator.fleet import FleetPlan, Ratios

    if scenario == "token-era":
        if ledger is not None:
            raise ConfigurationError(
                "a scenario keeps no ledger: an audit compares minutes, and its events are too old"
                " to be metered by the minute"
            )
        way = commands.route(via, url, key, keys, tenant, ca_file)
        day = until.date() if until else None
        commands.simulate_token_era(way, seed=seed, until=day, as_json=as_json)
        return
    ratios = Ratios(duplicates, disorder, late, poison, too_old, too_new, adjustments)
    plan = FleetPlan(seed, now_ms(), rate, duration, gateways, ratios=ratios)
    way = commands.route(via, url, key, keys, tenant, ca_file)
    commands.simulate(plan, way, ledger, paced=not fast, as_json=as_json)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV: TIMESTAMP, ContextTokens, GeneratedTokens.")],
    via: Annotated[Via, typer.Option(help="Through ingest, or straight onto the topic.")] = "kafka",
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Times real time; as fast as it goes if not given."),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Name of an earlier run: the same events once more.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whom to meter; over HTTP, the key's.")] = "trace",
    region: Annotated[str, typer.Option(help="Where the tokens were served.")] = "trace",
    provider: Annotated[str, typer.Option(help="Who served them.")] = "trace",
    model: Annotated[
        str | None, typer.Option(help="Which model answered; default: the file's name.")
    ] = None,
    url: IngestUrl = "http://127.0.0.1:8080",
    ca_file: IngestCa = None,
    key: ApiKey = None,
    ledger: LedgerPath = None,
    as_json: Json = False,
) -> None:
    """Replay a request trace as usage events, its last request moved to now."""
    from services.simulator import commands
    from services.simulator.trace import Labels

    way = commands.route(via, url, key, None, tenant, ca_file)
    labels = Labels(tenant, region, provider, model or file.stem)
    commands.replay(file, way, labels, ledger, run_id=run_id, speed=speed, as_json=as_json)


@app.command()
def audit(
    ledger: Annotated[
        Path | None,
        typer.Option(help="Compare with what was sent, as `simulate` recorded it."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without progress of the aggregator to give up.")
    ] = 120.0,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=MOMENTS, help="Recount event times from here on, UTC."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=MOMENTS, help="And before this.")
    ] = None,
    last: Annotated[
        str | None, typer.Option(help="Recount a span that ends now, such as 90m, 1h or 2d.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove what is metered, while it runs; exit 1 if anything differs.

    Without a ledger the log is counted again: every offset is accounted for, counts add up,
    families agree, and each row of the views is what the log says. With one, every register, minute
    and hour must be what was sent.
    """
    if ledger is not None:
        from services.simulator.commands import run_audit

        if since or until or last:
            raise ConfigurationError("--from, --to and --last are of an audit without --ledger")
        exact = run_audit(ledger, timeout_seconds=timeout, as_json=as_json)
    else:
        from services.audit.commands import run_live_audit

        exact = run_live_audit(since, until, last, as_json=as_json)
    if not exact:
        raise typer.Exit(1)
