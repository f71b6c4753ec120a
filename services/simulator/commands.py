"""What the subcommands simulate, replay and audit do: wiring and printing."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path

from services.platform.errors import ConfigurationError
from services.platform.kafka import require_kafka
from services.platform.output import say
from services.platform.progress import ProgressShown, stopped_by_signals
from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings
from services.platform.terminal import console
from services.simulator import audit_report, trace
from services.simulator.api_keys import read_keys
from services.simulator.audit import audit
from services.simulator.delivery import Tally
from services.simulator.fleet import FleetPlan
from services.simulator.http_sender import require_ingest
from services.simulator.ledger import Ledger
from services.simulator.scenarios import backfill, token_era_plan
from services.simulator.trace import Labels
from services.simulator.traffic import Delivered, Route, Via, open_ledger, send_fleet, send_trace


def route(
    via: Via,
    url: str,
    key: str | None,
    keys: Path | None,
    tenant: str | None,
    ca_file: Path | None = None,
) -> Route:
    """Put the options of the way together; raises `ConfigurationError` for what is missing.

    Of several addresses of ingest, with commas between, the first is taken.
    """
    url = url.partition(",")[0]
    if via == "kafka":
        return Route(via, kafka=read_settings(KafkaSettings))
    if keys is not None:
        return Route(via, url=url, keys=read_keys(keys), ca_file=ca_file)
    if key is None or tenant is None:
        raise ConfigurationError(
            "over HTTP, give --key with the --tenant it stands for, or --keys FOLDER with"
            " <tenant>.key files; `wattoken keys create` makes keys"
        )
    return Route(via, url=url, keys={tenant: key}, ca_file=ca_file)


def require_way(way: Route) -> None:
    """See that what is to be sent to answers: who sends would wait for it without end.

    Raises `UnavailableError`, `ConfigurationError` where the address is none.
    """
    if way.kafka is not None:
        require_kafka(way.kafka)
    else:
        require_ingest(way.url, way.ca_file)


def simulate(
    plan: FleetPlan, way: Route, ledger: Path | None, *, paced: bool, as_json: bool
) -> None:
    """Run a fleet and print what was sent."""
    require_way(way)
    if way.keys:
        plan = replace(plan, tenants=tuple(way.keys))
    if way.via == "http":
        plan = replace(plan, poison_straight=0.0)
    if not paced:
        # Sent at once, the fleet's whole time must lie behind us: events ahead are refused.
        plan = replace(plan, start_ms=plan.start_ms - int(plan.duration_seconds * 1000))
    with (
        _no_cycles(),
        _ledger(ledger) as book,
        ProgressShown("new events", plan.events) as bar,
        stopped_by_signals() as stop,
    ):
        started = time.monotonic()
        done = send_fleet(
            plan,
            way,
            book,
            paced=paced,
            stop=stop,
            progress=lambda tally: bar.update(min(plan.events, tally.acknowledged)),
        )
    _print_sent(done, time.monotonic() - started, as_json=as_json)


def simulate_token_era(way: Route, *, seed: int, until: date | None, as_json: bool) -> None:
    """Backfill the scenario token-era and print what was sent."""
    require_way(way)
    with _no_cycles():
        done, seconds = backfill(token_era_plan(seed, until, way), way)
    _print_sent(done, seconds, as_json=as_json)


def replay(
    file: Path,
    way: Route,
    labels: Labels,
    ledger: Path | None,
    *,
    run_id: str | None,
    speed: float | None,
    as_json: bool,
) -> None:
    """Check a trace, replay it and print what was sent."""
    survey = trace.survey(file)
    require_way(way)
    with (
        _no_cycles(),
        _ledger(ledger) as book,
        ProgressShown(file.name, survey.rows) as bar,
        stopped_by_signals() as stop,
    ):
        started = time.monotonic()
        done = send_trace(
            survey,
            labels,
            way,
            book,
            run_id=run_id,
            speed=speed,
            stop=stop,
            progress=lambda tally: bar.update(tally.acknowledged),
        )
    _print_sent(done, time.monotonic() - started, as_json=as_json)


def run_audit(ledger: Path, *, timeout_seconds: float, as_json: bool) -> bool:
    """Compare the meter with the ledger and print the result; True if nothing differs."""
    if not ledger.exists():
        raise ConfigurationError(f"there is no ledger {ledger}")
    with Ledger(ledger) as book, ProgressShown("records metered", None) as bar:
        result = audit(
            read_settings(KafkaSettings),
            read_settings(ClickHouseSettings),
            book,
            timeout_seconds=timeout_seconds,
            progress=bar.update,
        )
    if as_json:
        print(json.dumps(audit_report.as_json(result), indent=2))
    else:
        audit_report.print_result(result, console())
    return result.exact


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Switch the cycle collector off: readings hold no cycles, and it costs a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _ledger(path: Path | None) -> Ledger | nullcontext[None]:
    return open_ledger(path) or nullcontext()


def _print_sent(done: Delivered, seconds: float, *, as_json: bool) -> None:
    tally: Tally = done.tally
    rate = tally.sent / seconds if seconds else 0.0
    if as_json:
        fields = {
            "run": done.run.name,
            "sent": tally.sent,
            "acknowledged": tally.acknowledged,
            "refused": tally.refused,
            "retried": tally.retried,
            "seconds": round(seconds, 3),
            "events_per_second": round(rate),
        }
        print(json.dumps(fields))
        return
    say(
        f"run {done.run.name}: {tally.sent:,} sent in {seconds:.1f} s ({rate:,.0f}/s),"
        f" {tally.acknowledged:,} acknowledged, {tally.refused:,} refused,"
        f" {tally.retried:,} sent again"
    )
