"""Bills of each kind against a real ClickHouse: what is planted is found, and called what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from services.cli import app
from tests.integration.reconcile_world import (
    DAYS,
    FIRST,
    Calls,
    anthropic_costs,
    anthropic_usage,
    focus,
    hours,
    openai_costs,
    openai_usage,
    part,
    spend_logs,
    store,
    usual,
)
from tests.versions.database import Database, DatabaseFactory

CATALOGUE = Path(__file__).with_name("reconcile_catalogue")


@dataclass(frozen=True)
class World:
    """A database with a tenant for each scene, and a folder for its bills."""

    database: Database
    client: Client
    folder: Path

    def reconcile(
        self, tenant: str, *bills: str, options: tuple[str, ...] = ()
    ) -> tuple[int, dict[str, Any]]:
        """Run the command on these bills; gives its exit code and what it says."""
        paths = []
        for number, text in enumerate(bills):
            path = self.folder / f"{tenant}-{number}"
            path.write_text(text, encoding="utf-8")
            paths.append(str(path))
        arguments = ["reconcile", *paths, "--tenant", tenant, "--json", *options]
        ran = CliRunner().invoke(app, arguments, env=self.database.env)
        assert isinstance(ran.exception, (SystemExit, type(None))), ran.exception
        return ran.exit_code, json.loads(ran.stdout)


@pytest.fixture(scope="module")
def world(databases: DatabaseFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    database = databases("reconcile", CATALOGUE)
    with database.connect() as client:
        # The days are fixed, so the retention must not catch up with them.
        for table in ("slices_hour", "slices_unit", "dead_letters"):
            client.command(f"ALTER TABLE {table} REMOVE TTL")
        newest = FIRST + timedelta(days=DAYS, hours=5)
        client.insert(
            "checkpoints",
            [("log", 0, "usage.events.v1", 100, 0, 100, 90, 7, 3, {"too_old": 3}, newest, newest)],
            column_names=[
                *("log", "partition", "topic", "next_offset", "start_offset", "received"),
                *("accepted", "duplicate", "late", "rejected", "newest_event", "last_append"),
            ],
        )
        yield World(database, client, tmp_path_factory.mktemp("bills"))


def causes(found: dict[str, Any], measure: str = "tokens") -> dict[str, tuple[str, str]]:
    """Give what the bill has more and less, by cause."""
    (totals,) = (one for one in found["totals"] if one["measure"] == measure)
    return {cause: (one["more"], one["less"]) for cause, one in totals["causes"].items()}


def sums(calls: list[Calls]) -> tuple[int, Decimal]:
    """Give all tokens of calls, and all that they cost."""
    tokens = sum(one.input + one.output for one in calls)
    return tokens, sum((amount for one in calls for amount in one.amounts()), Decimal(0))


def batch_and_standard(hour: datetime) -> list[Calls]:
    """Give calls in two tiers."""
    (one,) = usual(hour)
    return [one, replace(one, tier="batch", requests=500, uncached=3_000_000, cache_read=0)]


def long_and_short(hour: datetime) -> list[Calls]:
    """Give calls of Anthropic's, with writes to its cache, searches, and long contexts."""
    short = Calls(
        *(hour, "anthropic", "claude-opus-5.5", "standard"),
        write_5m=200_000,
        write_1h=100_000,
        searches=3,
    )
    return [short, replace(short, band=200_000, requests=10, searches=0)]


@pytest.mark.parametrize(
    ("name", "make", "bills"),
    [
        ("openai", batch_and_standard, (openai_usage, openai_costs)),
        ("openai-usage", batch_and_standard, (openai_usage,)),
        ("openai-costs", batch_and_standard, (openai_costs,)),
        ("anthropic", long_and_short, (anthropic_usage, anthropic_costs)),
        ("litellm", usual, (spend_logs,)),
        ("focus", batch_and_standard, (focus,)),
    ],
)
def test_a_right_bill_of_each_kind_is_reconciled(
    world: World,
    name: str,
    make: Callable[[datetime], list[Calls]],
    bills: tuple[Callable[[list[Calls]], str], ...],
) -> None:
    calls = hours(make)
    store(world.client, f"right-{name}", calls)
    code, found = world.reconcile(f"right-{name}", *(write(calls) for write in bills))
    assert code == 0, found
    assert {one["cause"] for one in found["differences"]} <= {"rounding"}, found["differences"]
    tokens, amount = sums(calls)
    totals = {one["measure"]: one for one in found["totals"]}
    if "tokens" in totals:
        assert totals["tokens"]["billed"] == totals["tokens"]["metered"] == str(tokens)
    if "USD" in totals:
        searches = sum(one.searches for one in calls) * Decimal("0.01")
        assert Decimal(totals["USD"]["metered"]) == amount + searches
        assert abs(Decimal(totals["USD"]["difference"])) < Decimal("1e-6")
    # Held against the meter of another, none of it is there.
    code, found = world.reconcile("nobody", *(write(calls) for write in bills))
    assert code == 1
    assert {one["deviation_percent"] for one in found["totals"]} == {"100.0000"}


def test_our_own_export_for_finance_is_what_was_metered(world: World) -> None:
    calls = hours(lambda hour: [*batch_and_standard(hour), *long_and_short(hour)])
    store(world.client, "finance", calls)
    path = world.folder / "focus.csv"
    world.database.run("focus", "2026-10", "--out", str(path), "--tenant", "finance")
    code, found = world.reconcile("finance", path.read_text(encoding="utf-8"))
    assert code == 0, found
    assert found["differences"] == []
    totals = {one["measure"]: one["billed"] for one in found["totals"]}
    tokens, amount = sums(calls)
    searches = sum(one.searches for one in calls)
    assert totals["tokens"] == str(tokens)
    assert totals["web_searches"] == str(searches)
    assert Decimal(totals["USD"]) == amount + searches * Decimal("0.01")


def test_a_loss_of_a_thousandth_is_found(world: World) -> None:
    billed = hours(usual)
    store(world.client, "loss", [part(one, 999) for one in billed])
    lost = [part(one, 1) for one in billed]
    code, found = world.reconcile("loss", openai_usage(billed), openai_costs(billed))
    tokens, amount = sums(lost)
    assert code == 1
    assert causes(found) == {"not reported": (str(tokens), "0")}
    more, _ = causes(found, "USD")["not reported"]
    assert Decimal(more) == amount
    (told,) = (one for one in found["totals"] if one["measure"] == "tokens")
    assert told["deviation_percent"] == "0.1000"
    assert found["differences"][0]["evidence"] == "requests: 24,000 billed, 23,976 metered"
    code, _ = world.reconcile(
        "loss", openai_usage(billed), openai_costs(billed), options=("--tolerance", "0.11")
    )
    assert code == 0


def test_what_a_second_gateway_reported_again_was_reported_twice(world: World) -> None:
    billed = hours(usual)
    twice = [part(one, 10) for one in billed if one.hour.day == 2]
    store(world.client, "twice", [*billed, *twice])
    code, found = world.reconcile("twice", openai_usage(billed), openai_costs(billed))
    tokens, amount = sums(twice)
    assert code == 1
    assert causes(found) == {"reported twice": ("0", str(tokens))}
    assert Decimal(causes(found, "USD")["reported twice"][1]) == amount
    assert {one["first_day"] for one in found["differences"] if one["quantity"]} == {"2026-10-02"}


def test_another_price_is_no_other_usage(world: World) -> None:
    billed = hours(usual)
    store(world.client, "price", billed)
    dearer = openai_costs(billed, output_factor=Decimal("1.125"))
    code, found = world.reconcile("price", openai_usage(billed), dearer)
    output = sum(one.output for one in billed) * Decimal("0.000012")
    assert code == 1
    assert causes(found) == {}
    more, less = causes(found, "USD")["other price"]
    assert (abs(Decimal(more) - output / 8) < Decimal("1e-6"), less) == (True, "0")
    evidence = {one["evidence"] for one in found["differences"] if one["cause"] == "other price"}
    assert evidence == {"billed at 13.5 a million, metered at 12"}
    # Of costs alone it is told too, for it is the same factor on each day.
    code, found = world.reconcile("price", dearer)
    assert set(causes(found, "USD")) - {"rounding"} == {"other price"}


def test_a_batch_that_the_gateway_did_not_tell_is_another_class(world: World) -> None:
    billed = hours(batch_and_standard)
    store(world.client, "tier", [replace(one, tier="") for one in billed])
    code, found = world.reconcile("tier", openai_usage(billed), openai_costs(billed))
    batch = [one for one in billed if one.tier == "batch"]
    tokens, amount = sums(batch)
    assert code == 1
    assert causes(found) == {"other class": (str(tokens), str(tokens))}
    more, less = map(Decimal, causes(found, "USD")["other class"])
    # A batch costs half of what the meter took for it.
    assert abs(less - 2 * amount) < Decimal("1e-6")
    assert abs(more - amount) < Decimal("1e-6")


def test_usage_of_after_the_export_is_late_and_no_fault(world: World) -> None:
    made_at = FIRST + timedelta(days=2, hours=12)
    calls = hours(usual)
    store(world.client, "late", calls)
    billed = [one for one in calls if one.hour < made_at]
    bill = openai_usage(billed)
    moment = ("--exported-at", f"{made_at:%Y-%m-%dT%H:%M}")
    code, found = world.reconcile("late", bill, options=moment)
    tokens, _ = sums([one for one in calls if one.hour >= made_at])
    assert code == 0, found
    assert causes(found) == {"late": ("0", str(tokens))}
    code, found = world.reconcile("late", bill)
    assert code == 1
    assert causes(found) == {"reported twice": ("0", str(tokens))}


def test_calls_that_ran_over_midnight_are_late_and_no_fault(world: World) -> None:
    metered = hours(usual)
    first_hour = next(one for one in metered if one.hour == FIRST + timedelta(days=1))
    early = part(first_hour, 50)
    rest = part(first_hour, 950)
    billed = [one for one in metered if one is not first_hour]
    billed += [rest, replace(early, hour=early.hour - timedelta(hours=1))]
    store(world.client, "midnight", metered)
    code, found = world.reconcile("midnight", openai_usage(billed))
    tokens, _ = sums([early])
    assert code == 0, found
    assert causes(found) == {"late": (str(tokens), str(tokens))}


def test_what_the_meter_refused_is_named(world: World) -> None:
    billed = hours(usual)
    refused = [part(one, 100) for one in billed if one.hour == FIRST]
    kept = [part(one, 900) if one.hour == FIRST else one for one in billed]
    store(world.client, "refused", kept)
    events = [
        {
            "time": f"{one.hour:%FT%TZ}",
            "tenant": "refused",
            "region": "utc",
            "provider": "openai",
            "model": "gpt-5.6-luna",
            "input_tokens": one.input,
            "output_tokens": one.output,
        }
        for one in refused
    ]
    letters = [
        ("log", 0, number, "usage.events.v1", "too_old", "36 days old", json.dumps(event), 1)
        for number, event in enumerate(events)
    ] + [("log", 0, 99, "usage.events.v1", "invalid_json", "no JSON", "{", 1)]
    client = world.client
    now = datetime.now(UTC)
    client.insert(
        "dead_letters",
        [(*letter, now) for letter in letters],
        column_names=[
            *("log", "partition", "offset", "topic", "reason", "error", "payload"),
            *("payload_bytes", "append_time"),
        ],
    )
    code, found = world.reconcile("refused", openai_usage(billed))
    assert code == 1
    assert causes(found) == {"not reported": (str(sums(refused)[0]), "0")}
    assert {one["evidence"] for one in found["differences"]} == {"the meter refused: too_old 1"}


def test_adjustments_that_were_posted_for_a_difference_settle_it(world: World) -> None:
    billed = hours(usual)
    store(world.client, "settled", [part(one, 999) for one in billed])
    columns = ["window_start", "tenant", "region", "provider", "model", "entry", "log"]
    columns += ["partition", "version", "requests", "input_tokens", "cache_read_input_tokens"]
    columns += ["output_tokens"]
    rows = [
        (
            *(one.hour, "settled", "utc", "openai", "gpt-5.6-luna", "debit", "log", 0, 1, 1),
            *(one.input, one.cache_read, one.output),
        )
        for one in (part(calls, 1) for calls in billed)
    ]
    world.client.insert("slices_hour", rows, column_names=columns)
    code, found = world.reconcile("settled", openai_usage(billed), openai_costs(billed))
    assert code == 0, found
    assert causes(found) == {}


def test_people_read_a_table(world: World) -> None:
    billed = hours(usual)
    store(world.client, "people", [part(one, 999) for one in billed])
    path = world.folder / "people"
    path.write_text(openai_usage(billed), encoding="utf-8")
    arguments = ["reconcile", str(path), "--tenant", "people"]
    ran = CliRunner().invoke(app, arguments, env={**world.database.env, "COLUMNS": "200"})
    assert ran.exit_code == 1
    for text in (
        "OpenAI usage, openai, 2026-10-01..2026-10-03 (UTC) against the meter",
        "not reported",
        "requests: 24,000 billed, 23,976 metered",
        "not reconciled within 0.05 %: tokens by 0.1000 %",
    ):
        assert text in ran.output
