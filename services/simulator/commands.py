"""What the subcommands simulate, replay, audit and dead-letters do: wiring and printing."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path

from rich.table import Table

from services.platform.clickhouse import connect
from services.platform.errors import ConfigurationError
from services.platform.kafka import admin_client, describe_log
from services.platform.output import say
from services.platform.printable import shown
from services.platform.progress import ProgressShown, stopped_by_signals
from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings
from services.platform.terminal import cell, console
from services.simulator import audit_report, dead_letters, trace
from services.simulator.api_keys import read_keys
from services.simulator.audit import audit
from services.simulator.dead_letters import Selection
from services.simulator.delivery import Tally, now_ms
from services.simulator.fleet import FleetPlan
from services.simulator.ledger import Ledger
from services.simulator.scenarios import backfill, token_era_plan
from services.simulator.topic_sender import TopicSender
from services.simulator.trace import Labels
from services.simulator.traffic import Delivered, Route, Via, open_ledger, send_fleet, send_trace

#: Until a dead letter is asked for again, payloads are shown up to here.
PAYLOAD_SHOWN_MAX = 4_000


def route(
    via: Via,
    url: str,
    key: str | None,
    keys: Path | None,
    tenant: str | None,
    ca_file: Path | None = None,
) -> Route:
    """Put the options of the way together; raises `ConfigurationError` for what is missing."""
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


def simulate(
    plan: FleetPlan, way: Route, ledger: Path | None, *, paced: bool, as_json: bool
) -> None:
    """Run a fleet and print what was sent."""
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


def list_dead_letters(selection: Selection, limit: int, *, as_json: bool) -> None:
    """Print the counts by reason and the newest letters."""
    with closing(connect(read_settings(ClickHouseSettings))) as client:
        reasons = dead_letters.count_by_reason(client, selection)
        newest = list(dead_letters.read_letters(client, selection, limit))
    if as_json:
        print(
            json.dumps(
                {
                    "reasons": {reason.reason: reason.letters for reason in reasons},
                    "newest": [_letter_json(letter) for letter in newest],
                },
                indent=2,
            )
        )
        return
    out = console()
    if not reasons:
        out.print("no dead letters")
        return
    counts = Table("reason", "letters", "newest", title="Dead letters by reason")
    for reason in reasons:
        counts.add_row(
            cell(reason.reason), f"{reason.letters:,}", f"{reason.newest:%Y-%m-%d %H:%M:%S}Z"
        )
    out.print(counts)
    table = Table("appended", "partition", "offset", "reason", "error", title="Newest")
    for letter in newest:
        place = (str(letter.partition), str(letter.offset))
        table.add_row(
            f"{letter.append_time:%m-%d %H:%M:%S}Z",
            *place,
            *map(cell, (letter.reason, letter.error)),
        )
    out.print(table)


def show_dead_letter(partition: int, offset: int, *, as_json: bool) -> None:
    """Print one letter whole."""
    selection = Selection(partition=partition, offset=offset)
    with closing(connect(read_settings(ClickHouseSettings))) as client:
        letters = list(dead_letters.read_letters(client, selection))
    if not letters:
        raise ConfigurationError(f"no dead letter lies at partition {partition}, offset {offset}")
    for letter in letters:
        fields = _letter_json(letter)
        if as_json:
            print(json.dumps(fields, indent=2))
        else:
            for name, value in fields.items():
                say(f"{name:<14}{value}")


def requeue_dead_letters(selection: Selection, *, confirmed: bool) -> None:
    """Put the selected letters back onto the topic, except those that would come back at once."""
    kafka = read_settings(KafkaSettings)
    sender = TopicSender(kafka)
    out = console()
    log = describe_log(admin_client(kafka), sender.topic)
    with closing(connect(read_settings(ClickHouseSettings))) as client:
        rules = dead_letters.rules_now(client, log.name)
        total = sum(count.letters for count in dead_letters.count_by_reason(client, selection))
        if not total:
            raise ConfigurationError("no dead letter fits the selection")
        if not confirmed and out.input(f"Look at {total:,} dead letters? [y/N] ") != "y":
            return
        back = skipped = 0
        for letter in dead_letters.read_letters(client, selection):
            reason = dead_letters.why_not_back(letter, rules, now_ms())
            if reason is None:
                sender.put([dead_letters.log_record(letter)])
                back += 1
                continue
            skipped += 1
            place = f"partition {letter.partition}, offset {letter.offset}"
            out.print(f"left: {place}: {shown(reason)}", markup=False, highlight=False)
    out.print(f"{back:,} put back onto {sender.topic}, {skipped:,} left", highlight=False)


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


def _letter_json(letter: dead_letters.DeadLetter) -> dict[str, object]:
    return {
        "log": letter.log,
        "partition": letter.partition,
        "offset": letter.offset,
        "append_time": letter.append_time.isoformat(),
        "reason": letter.reason,
        "error": letter.error,
        "payload_bytes": letter.payload_bytes,
        "payload": letter.payload[:PAYLOAD_SHOWN_MAX].decode("utf-8", "backslashreplace"),
    }
