"""`wattoken demo`: the stack, a fleet with faults, and an audit of every total at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any, Final, TypeVar, get_args

from pydantic_settings import BaseSettings
from rich.console import Console
from rich.live import Live

from schemas.catalogue import Catalogue, load_catalogue
from services.local_stack.errors import ChildFailed
from services.local_stack.infrastructure import BrokerName, Infrastructure
from services.local_stack.live_table import LiveTable, take_snapshot
from services.local_stack.pipeline import Pipeline
from services.local_stack.up import (
    ended_by_signals,
    guide,
    new_state_dir,
    said_to_shells,
    say,
    watch,
)
from services.platform import terminal
from services.platform.clickhouse import connect, mapped_errors
from services.platform.errors import ConfigurationError
from services.platform.kafka import admin_client, describe_log
from services.platform.progress import ProgressShown
from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings
from services.platform.stack_here import FOLDER
from services.simulator import profiles
from services.simulator.audit import AuditResult, audit
from services.simulator.audit_report import print_result
from services.simulator.delivery import Tally, now_ms
from services.simulator.fleet import FleetPlan, Ratios
from services.simulator.ledger import Ledger
from services.simulator.traffic import Delivered, Route, send_fleet

S = TypeVar("S", bound=BaseSettings)

OUT: Final = Path("out")
RESULT: Final = OUT / "demo.json"
LEDGER: Final = OUT / "demo.ledger"
RATIOS: Final = Ratios(duplicates=0.02, disorder=0.05, late=0.01, poison=0.001)
#: As old as minutes are kept, a day less: so some events are of a holiday on almost any date,
#: however long ago it was.
EVENT_AGE_MAX_DAYS: Final = 89
AUDIT_TIMEOUT_SECONDS: Final = 60.0
REFRESH_SECONDS: Final = 1.0
#: What goes on after the audit with ``--keep``: enough to see it move, little enough for a laptop.
KEEP_RATE: Final = 300.0
KEEP_SECONDS: Final = 7 * 24 * 3600.0
LINE_EVERY_SECONDS: Final = 5.0


def run(*, seconds: float, rate: float, seed: int, broker: str, keep: bool) -> bool:
    """Run the demo; True if every total is equal. Writes ``out/demo.json``.

    Raises `ConfigurationError` for an unknown broker, `StackError` when something does not start,
    `NotCaughtUpError` when the aggregator falls behind for good.
    """
    started = time.monotonic()
    requested = next((name for name in get_args(BrokerName) if name == broker), None)
    if requested is None:
        raise ConfigurationError(f"--broker must be auto, kafka or tansu, not {broker!r}")
    _clear_results()
    infrastructure = Infrastructure(
        new_state_dir(FOLDER), broker=requested, usual_ports=True, report=say
    )
    with ended_by_signals(), infrastructure:
        pipeline = Pipeline(
            infrastructure,
            accounts=[
                (tenant, profiles.REGIONS[number % len(profiles.REGIONS)].name)
                for number, tenant in enumerate(profiles.TENANTS)
            ],
            env={"WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS": str(EVENT_AGE_MAX_DAYS)},
            migrate_options=("--max-event-age-days", str(EVENT_AGE_MAX_DAYS)),
            usual_names=True,
            usual_ports=True,
            report=say,
        )
        with pipeline, said_to_shells(pipeline) as env_file:
            exact = _meter_and_compare(pipeline, seconds, rate, seed, started)
            if keep:
                say(guide(pipeline, env_file))
                with suppress(KeyboardInterrupt), _still_reporting(pipeline, rate, seed):
                    watch(pipeline)
    return exact


def _meter_and_compare(
    pipeline: Pipeline, seconds: float, rate: float, seed: int, started: float
) -> bool:
    console = terminal.console()
    say(
        f"A synthetic fleet reports for {seconds:g} s, {rate:g} events/s:"
        f" {RATIOS.duplicates:.1%} sent twice, {RATIOS.late:.1%} late, {RATIOS.poison:.1%} poison."
    )
    _send(pipeline, seconds, rate, seed, console)
    with Ledger(LEDGER) as ledger, ProgressShown("records metered", None, console) as bar:
        result = audit(
            settings(KafkaSettings, pipeline),
            settings(ClickHouseSettings, pipeline),
            ledger,
            timeout_seconds=AUDIT_TIMEOUT_SECONDS,
            progress=bar.update,
        )
    print_result(result, console)
    fields = result_fields(
        result,
        broker=pipeline.infrastructure.broker_name,
        clickhouse_version=_clickhouse_version(pipeline),
        elapsed_seconds=time.monotonic() - started,
    )
    RESULT.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    say(f"{RESULT}: {json.dumps(fields)}")
    return result.exact


def result_fields(
    result: AuditResult, *, broker: str, clickhouse_version: str, elapsed_seconds: float
) -> dict[str, Any]:
    """Give the fields of ``out/demo.json``.

    `events_sent` = `metered_events` + `duplicates_dropped` + `rejected`; the last are those that
    ingest refused and those that became dead letters.
    """
    return {
        "events_sent": result.expected.sent,
        "unique_events": result.expected.unique,
        "metered_events": result.found.accepted,
        "duplicates_dropped": result.found.duplicate,
        "rejected": sum(result.found.rejected.values()) + result.expected.refused,
        "mismatched_rows": len(result.rows),
        "exact": result.exact,
        "broker": broker,
        "clickhouse_version": clickhouse_version,
        "elapsed_seconds": round(elapsed_seconds, 1),
    }


def _send(
    pipeline: Pipeline, seconds: float, rate: float, seed: int, console: Console
) -> Delivered:
    """Let the fleet report in a thread of its own, and show the meter meanwhile."""
    plan = fleet_plan(seed, now_ms(), rate, seconds)
    stop = Event()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fleet") as fleet:
        sending = fleet.submit(_report, plan, _route(pipeline), stop)
        try:
            _show(pipeline, sending, console)
        finally:
            # Also after Ctrl-C: what is in flight is answered, nothing more is sent.
            stop.set()
    return sending.result()


@contextmanager
def _still_reporting(pipeline: Pipeline, rate: float, seed: int) -> Iterator[None]:
    """Let a smaller fleet go on, so that there is something to look at."""
    plan = FleetPlan(
        *(seed + 1, now_ms(), min(rate, KEEP_RATE), KEEP_SECONDS),
        ratios=RATIOS,
        event_age_max_days=EVENT_AGE_MAX_DAYS,
    )
    stop = Event()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fleet") as fleet:
        sending = fleet.submit(
            send_fleet, plan, _route(pipeline), None, paced=True, stop=stop, progress=_ignore
        )
        sending.add_done_callback(_say_why_it_ended)
        try:
            yield
        finally:
            stop.set()


def _say_why_it_ended(sending: Future[Delivered]) -> None:
    error = sending.exception()
    if error is not None:
        say(f"the fleet reports no more: {error}")


def _route(pipeline: Pipeline) -> Route:
    return Route(
        "http",
        kafka=settings(KafkaSettings, pipeline),
        url=pipeline.addresses["ingest"],
        keys={credential.tenant: credential.key for credential in pipeline.credentials},
    )


def _report(plan: FleetPlan, route: Route, stop: Event) -> Delivered:
    with Ledger(LEDGER) as ledger:
        return send_fleet(plan, route, ledger, paced=True, stop=stop, progress=_ignore)


def _ignore(tally: Tally) -> None:
    """The meter's own numbers are shown, not the sender's."""


def _show(pipeline: Pipeline, sending: Future[Delivered], console: Console) -> None:
    kafka = settings(KafkaSettings, pipeline)
    admin = admin_client(kafka)
    log = describe_log(admin, kafka.kafka_topic)
    table = LiveTable()
    next_line = 0.0
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    with closing(connect(settings(ClickHouseSettings, pipeline))) as client, live or nullcontext():
        while not sending.done():
            at_seconds = time.monotonic()
            table.add(take_snapshot(client, admin, log, at_seconds))
            if live is not None:
                live.update(table.render(), refresh=True)
            elif at_seconds >= next_line:
                next_line = at_seconds + LINE_EVERY_SECONDS
                say(table.line())
            for child in (*pipeline.infrastructure.supervisor.dead(), *pipeline.supervisor.dead()):
                raise ChildFailed(child.failure(f"ended with {child.ending} while it was metering"))
            with suppress(TimeoutError):
                sending.exception(timeout=REFRESH_SECONDS)


def fleet_plan(seed: int, start_ms: int, rate: float, seconds: float) -> FleetPlan:
    """What the demo's fleet sends: some of it late, of days off that a calendar bills apart."""
    return FleetPlan(
        *(seed, start_ms, rate, seconds),
        ratios=RATIOS,
        poison_straight=0.5,
        holidays=holidays(load_catalogue(with_price_lists=False)),
        event_age_max_days=EVENT_AGE_MAX_DAYS,
    )


def holidays(catalogue: Catalogue) -> tuple[date, ...]:
    """All public holidays that a calendar of the catalogue may have."""
    return tuple(sorted({day for one in catalogue.tou.holidays for day in one.days_off}))


def settings(cls: type[S], pipeline: Pipeline) -> S:
    """Read settings that point at the pipeline, as its child processes read them."""
    given = {name.removeprefix("WATTOKEN_").lower(): value for name, value in pipeline.env.items()}
    fields = {name: value for name, value in given.items() if name in cls.model_fields}
    return read_settings(cls, **fields)


def _clickhouse_version(pipeline: Pipeline) -> str:
    with closing(connect(settings(ClickHouseSettings, pipeline))) as client, mapped_errors():
        return str(client.command("SELECT version()"))


def _clear_results() -> None:
    """Take the last run's results away: a run that fails must not leave them to be believed."""
    OUT.mkdir(exist_ok=True)
    for path in (RESULT, LEDGER, *OUT.glob(f"{LEDGER.name}-*")):
        path.unlink(missing_ok=True)
