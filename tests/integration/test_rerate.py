"""A corrected price list on a real ClickHouse: what is shown is what it charges once loaded."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import load_catalogue
from services.billing.rerate import Line, Rerating, Sum
from services.billing.rerate_commands import rerate
from services.billing.rerate_queries import read_rerating
from services.platform.catalogue import store_catalogue
from services.platform.errors import ConfigurationError
from tests.integration import test_billing
from tests.integration.billing_oracle import Reading
from tests.integration.patient_meter import patient, run
from tests.integration.test_billing import CATALOGUE, Meter, readings, tokens
from tests.versions.effort import examples

#: All that the readings' moments lie in.
SINCE, UNTIL = date(2026, 1, 1), date(2026, 12, 1)
#: What is corrected: a price, one of a class, of a band, of a tier, of a unit, and when one begins;
#: a tariff that is gone, one that is new, and hours of a calendar.
CORRECTIONS = (
    ("tariffs", "output: 3, reasoning: {same_as: output}", "output: 3.000000001, reasoning: 7"),
    ("tariffs", "cache_write_1h: 1.1", "cache_write_1h: 1.2"),
    ("tariffs", "{uncached_input: 0.75,", "{uncached_input: 0.74,"),
    ("tariffs", "tier: batch, prices: {flat: {un", "tier: scale, prices: {flat: {un"),
    ("tariffs", "web_searches: 10, file_searches: 2.5", "web_searches: 9.5"),
    ("tariffs", "valid_from: 2026-07-15T15:00:00Z", "valid_from: 2026-07-15T13:00:00Z"),
    ("tariffs", "model: night_model\n    region: kolkata", "model: gone\n    region: kolkata"),
    ("tariffs", 'grid\n    model: "*"\n    region: new', '"*"\n    model: "un*"\n    region: new'),
    ("tou", "peak: [{from: 1, to: 4}", "peak: [{from: 2, to: 4}"),
    ("tou", "{from: 0, to: 1}, {from: 4, to: 6}", "{from: 0, to: 2}, {from: 4, to: 6}"),
    ("regions", "time_zone: Europe/Berlin", "time_zone: Asia/Shanghai"),
)


billing_meter = test_billing.meter


@pytest.fixture(scope="module")
def meter(billing_meter: Meter) -> Iterator[Meter]:
    with patient(billing_meter) as found:
        yield found


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's catalogue, corrected."""
    folder = tmp_path_factory.mktemp("corrected") / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    for name, old, new in CORRECTIONS:
        path = folder / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


@pytest.fixture
def every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that do not differ are kept as well."""
    monkeypatch.setattr(Line, "differs", property(lambda line: True))


EXACT = Context(prec=100)


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount or Decimal(0))
    return found


def charged(client: Client, tenant: str) -> dict[Any, Any]:
    """Quantity and amount of what `charges` has, by what a line is told apart by."""
    rows = client.query(
        "SELECT tenant, provider, model, toString(entry), token_class, unit, service_tier,"
        " context_band, tou_period,"
        " coalesce(usd_per_million_tokens, usd_per_thousand_units) AS price,"
        " sum(toUInt256(quantity)), sum(toDecimal256(amount_usd, 15))"
        " FROM charges WHERE tenant = {tenant:String} GROUP BY ALL",
        parameters={"tenant": tenant},
    ).result_rows
    return {tuple(row[:10]): tuple(row[10:]) for row in rows}


def shown(lines: Iterable[Line], which: str) -> dict[Any, Any]:
    """The same of the lines of one list."""
    found: dict[Any, list[Any]] = defaultdict(lambda: [0, []])
    for line in lines:
        rated = getattr(line, which)
        key = (
            *(line.tenant, line.provider, line.model, line.entry, line.token_class, line.unit),
            *(line.service_tier, line.context_band, rated.tou_period, rated.price),
        )
        found[key][0] += line.quantity
        found[key][1].append(rated.amount)
    return {
        key: (quantity, None if key[-1] is None else total(amounts))
        for key, (quantity, amounts) in found.items()
    }


def rerated(
    meter: Meter,
    folder: Path,
    tenant: str | None,
    start: date = SINCE,
    end: date = UNTIL,
) -> Rerating:
    return read_rerating(meter.client, load_catalogue(folder), start, end, tenant)


@pytest.fixture
def loaded(meter: Meter) -> Iterator[Any]:
    """Loads a catalogue, as `wattoken migrate` does; afterwards the test's own is there again."""

    def load(folder: Path) -> None:
        store_catalogue(meter.database.settings, load_catalogue(folder), lambda line: None)

    yield load
    load(CATALOGUE)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(readings(), min_size=1, max_size=80))
def test_once_it_is_loaded_charges_are_what_was_shown(
    meter: Meter, corrected: Path, loaded: Any, every_line: None, given: list[Reading]
) -> None:
    tenant = meter.store(given)["a"]
    before = charged(meter.client, tenant)
    found = rerated(meter, corrected, tenant)
    assert shown(found.lines, "old") == before
    assert charged(meter.client, tenant) == before, "nothing is changed by showing"
    loaded(corrected)
    try:
        after = charged(meter.client, tenant)
        again = rerated(meter, corrected, tenant)
    finally:
        loaded(CATALOGUE)
    assert shown(found.lines, "new") == after
    assert shown(again.lines, "old") == shown(again.lines, "new") == after
    if any(amount is not None for _, amount in (*before.values(), *after.values())):
        old, new = (total(amount for _, amount in one.values()) for one in (before, after))
        assert found.sums == (Sum("USD", old, new),)


def usual() -> list[Reading]:
    """Usage that each correction changes, and some that none does."""
    classes = tokens(1000, 20, 30, 400, 50) | {"cache_write_1h": 8}
    hours = [datetime(2026, 7, day, hour, tzinfo=UTC) for day in (15, 20) for hour in (1, 14, 20)]
    series = [("openai", "gpt-5.6-luna"), ("deepseek", "deepseek-flash"), ("grid", "night_model")]
    series.append(("nobody", "unheard-of"))
    return [
        Reading(
            *("a", hour, region, *one, entry, 0, classes),
            *(tier, band),
            units={"web_searches": 3, "file_searches": 4},
        )
        for hour in hours
        for region in ("berlin", "kolkata", "new-york")
        for one in series
        for entry, tier, band in (
            *(("usage", "", 0), ("usage", "batch", 0), ("credit", "standard", 128_000)),
            ("usage", "scale", 0),
        )
    ]


def state(client: Client) -> list[tuple[Any, ...]]:
    """All that a change would show in."""
    return sorted(
        client.query(
            "SELECT name, engine, if(engine = 'MergeTree', total_rows, NULL), comment,"
            " metadata_modification_time FROM system.tables WHERE database = currentDatabase()"
        ).result_rows
    )


def test_the_command_shows_it_and_changes_nothing(
    meter: Meter, corrected: Path, loaded: Any
) -> None:
    tenant = meter.store(usual())["a"]
    before, charges = state(meter.client), charged(meter.client, tenant)
    told = ("--from", "2026-07-01", "--to", "2026-08-01", "--tenant", tenant)
    found = json.loads(run(meter, "tariffs", "rerate", str(corrected), *told, "--json"))
    printed = run(meter, "tariffs", "rerate", str(corrected), *told)
    assert state(meter.client) == before
    assert charged(meter.client, tenant) == charges
    (sums,) = found["sums"]
    assert Decimal(sums["old"]) == total(amount for _, amount in charges.values())
    difference = total(Decimal(one["difference"]) for one in found["lines"])
    assert difference == Decimal(sums["difference"]) != 0
    assert found["lines_same"] > 0 and len(found["lines"]) > 20
    assert found["unpriced"]["old"] > found["unpriced"]["new"] > 0
    assert "Charges that differ" in printed and f"new {Decimal(sums['new']):,f}"[:8] in printed

    loaded(corrected)
    again = json.loads(run(meter, "tariffs", "rerate", str(corrected), *told, "--json"))
    assert again["differs"] is False and again["lines"] == []
    assert again["sums"][0]["old"] == again["sums"][0]["new"] == sums["new"]
    assert "No charge differs" in run(meter, "tariffs", "rerate", str(corrected), *told)


def test_only_what_is_asked_for_is_in_it(meter: Meter, corrected: Path, every_line: None) -> None:
    series = ("utc", "openai", "gpt-5.6-luna", "usage", 0)
    hours = [
        datetime(2026, 7, 19, 23, tzinfo=UTC),
        datetime(2026, 7, 20, 0, tzinfo=UTC),
        datetime(2026, 7, 20, 23, tzinfo=UTC),
        datetime(2026, 7, 21, 0, tzinfo=UTC),
    ]
    tenant = meter.store(
        [Reading("a", hour, *series, {"output": 10**number}) for number, hour in enumerate(hours)]
        + [Reading("b", hours[1], *series, {"output": 10**6})]
    )["a"]
    day = date(2026, 7, 20), date(2026, 7, 21)
    (line,) = rerated(meter, corrected, tenant, *day).lines
    assert line.quantity == 10 + 100
    assert (line.old.price, line.new.price) == (Decimal(3), Decimal("3.000000001"))
    tenants = {one.tenant for one in rerated(meter, corrected, None, *day).lines}
    assert tenants > {tenant}


def test_other_demand_charges_are_said(meter: Meter, corrected: Path, tmp_path: Path) -> None:
    assert not rerated(meter, corrected, "stranger").demand_differs
    folder = tmp_path / "catalogue"
    shutil.copytree(corrected, folder)
    path = folder / "tariffs.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("usd_per_token_per_second: 0.05", "usd_per_token_per_second: 0.06")
    )
    found = rerated(meter, folder, "stranger")
    assert found.demand_differs and found.lines == () and found.sums == ()
    earlier = date(2026, 4, 1), date(2026, 5, 2)
    before = rerated(meter, folder, "stranger", *earlier)
    assert not before.demand_differs, "it begins on 2026-05-02"


def test_a_table_that_is_missing_is_said(
    meter: Meter, corrected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter.client, "database", "default")
    with pytest.raises(
        ConfigurationError, match=r"lacks 'slices_register': run `wattoken migrate`"
    ):
        read_rerating(meter.client, load_catalogue(corrected), SINCE, UNTIL, None)


def test_what_is_no_time_or_no_folder_is_refused(tmp_path: Path) -> None:
    day = date(2026, 7, 1)
    with pytest.raises(ConfigurationError, match="--to is the later day"):
        rerate(tmp_path, start=day, end=day, tenant=None, as_json=False)
    with pytest.raises(ConfigurationError, match="is no folder"):
        rerate(tmp_path / "x", start=day, end=date(2026, 8, 1), tenant=None, as_json=False)
