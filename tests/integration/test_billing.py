"""Charges and statements on a real ClickHouse, against an oracle that shares no code with them.

Slices are inserted as the aggregator writes them; no Kafka takes part.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import Catalogue, load_catalogue
from schemas.catalogue.rows import table_rows
from services.billing.exact import written
from services.billing.explain_queries import Asked, read_charges
from services.billing.explanation import Explanation, Place, explain
from services.billing.stored_catalogue import read_stored_catalogue
from services.billing.tariff_prices import every_tariff_of, prices_at
from services.platform.catalogue import store_catalogue
from services.platform.errors import ConfigurationError
from tests.integration.billing_oracle import (
    CLASSES,
    Reading,
    charges_of_readings,
    demand_of_readings,
)
from tests.versions.database import Database, DatabaseFactory
from tests.versions.effort import examples

CATALOGUE = Path(__file__).with_name("billing_catalogue")
HOUR = timedelta(hours=1)

#: Hours around what may go wrong: days of 23 and 25 hours in Berlin and New York, edges of the UTC
#: periods, a change of price in mid-month and one at an odd hour, month ends.
MOMENTS = [
    datetime(2026, 3, 28, 22, tzinfo=UTC),
    datetime(2026, 3, 8, 5, tzinfo=UTC),
    datetime(2026, 10, 24, 21, tzinfo=UTC),
    datetime(2026, 11, 1, 3, tzinfo=UTC),
    datetime(2026, 7, 29, 22, tzinfo=UTC),
    datetime(2026, 7, 15, 11, tzinfo=UTC),
    datetime(2026, 6, 30, 22, tzinfo=UTC),
    datetime(2026, 5, 6, 0, tzinfo=UTC),
]
REGIONS = ["berlin", "new-york", "kolkata", "utc", "not-in-the-catalogue"]
SERIES = [
    ("deepseek", "deepseek-flash"),
    ("other", "deepseek-flash"),
    ("openai", "GPT-5.6-luna-2026-07-30"),
    ("openai", "gpt-5.6-luna"),
    ("grid", "night_model"),
    ("grid", "nightXmodel"),
    ("grid", "office-model"),
    ("nobody", "unheard-of"),
]

#: Not reported, with prices in some tariffs, and with one in none.
TIERS = ["", "standard", "batch", "flex", "priority", "scale"]
#: Thresholds of the test's catalogue, and bands below, between and beyond them.
BANDS = [0, 32_000, 128_000, 199_999, 200_000, 272_000, 1_000_000]
#: With a price in some tariff, and with one in none.
UNITS = ["web_searches", "file_searches", "audio_milliseconds", "pages", "images", "tool_calls"]


def tokens(*amounts: int) -> dict[str, int]:
    """Input read from no cache, from one, written to one; visible output, and reasoning."""
    usual = ("uncached_input", "cache_read", "cache_write", "output", "reasoning")
    return dict(zip(usual, amounts, strict=True))


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    provider, model = draw(st.sampled_from(SERIES))
    big = st.one_of(st.integers(0, 50), st.integers(0, 10**16))
    some = draw(st.sets(st.sampled_from(list(CLASSES)), max_size=6))
    return Reading(
        tenant=draw(st.sampled_from(["a", "b"])),
        hour=draw(st.sampled_from(MOMENTS)) + draw(st.integers(0, 13)) * HOUR,
        region=draw(st.sampled_from(REGIONS)),
        provider=provider,
        model=model,
        entry=draw(st.sampled_from(["usage", "usage", "usage", "debit", "credit"])),
        partition=draw(st.integers(0, 1)),
        classes={name: draw(big) for name in sorted(some)},
        service_tier=draw(st.sampled_from(TIERS)),
        context_band=draw(st.sampled_from(BANDS)),
        units=draw(st.dictionaries(st.sampled_from(UNITS), big, max_size=2)),
    )


@dataclass(frozen=True)
class Meter:
    """A database with the test's catalogue; each example bills tenants of its own."""

    database: Database
    client: Client
    catalogue: Catalogue
    numbers: Iterator[int]

    def store(self, readings: list[Reading]) -> dict[str, str]:
        """Insert the readings under fresh tenant names; returns name -> fresh name."""
        fresh = {name: f"{name}{next(self.numbers)}" for name in ("a", "b")}
        hours: dict[Any, Counter[str]] = defaultdict(Counter)
        units: dict[Any, Counter[str]] = defaultdict(Counter)
        for one in readings:
            labels = (one.hour, fresh[one.tenant], one.region, one.provider, one.model)
            place = (*labels, one.entry, one.partition)
            hours[(*place, one.service_tier, one.context_band)].update(one.measures)
            for unit, quantity in one.units.items():
                units[(*place, unit)].update(quantity=quantity)
        names = ["window_start", "tenant", "region", "provider", "model", "entry", "partition"]
        self.insert("slices_hour", [*names, "service_tier", "context_band"], hours)
        self.insert("slices_unit", [*names, "unit"], units)
        return fresh

    def insert(self, table: str, names: list[str], totals: dict[Any, Counter[str]]) -> None:
        """Insert two versions of each row: the older one, with other numbers, must not be seen.

        In one insert ClickHouse would drop it itself.
        """
        measures = sorted({name for row in totals.values() for name in row})
        for version, more in ((2, 0), (1, 7)):
            rows = [
                (*key, *(row[name] + more for name in measures), version, "log")
                for key, row in totals.items()
            ]
            if rows:
                columns = [*names, *measures, "version", "log"]
                self.client.insert(table, rows, column_names=columns)


@pytest.fixture(scope="module")
def meter(databases: DatabaseFactory) -> Iterator[Meter]:
    with metering(databases("billing", CATALOGUE)) as made:
        yield made


@contextmanager
def metering(database: Database) -> Iterator[Meter]:
    """A database whose registers have all series, and whose hours are kept."""
    with database.connect() as client:
        # The moments are fixed, so the retention must not catch up with them.
        client.command("ALTER TABLE slices_hour REMOVE TTL")
        client.insert(
            "slices_register",
            [
                (region, provider, model, "usage", "log", 0, 1)
                for region in REGIONS
                for provider, model in SERIES
            ],
            column_names=["region", "provider", "model", "entry", "log", "partition", "version"],
        )
        yield Meter(database, client, load_catalogue(CATALOGUE), itertools.count(1))


PRICE = "coalesce(usd_per_million_tokens, usd_per_thousand_units)"
LABELS = "window_start, tenant, region, provider, model, entry, service_tier, context_band, unit"


def charges_of(meter: Meter, fresh: dict[str, str], view: str = "charges") -> dict[Any, Any]:
    """(period, tariff, quantity, price, amount) by labels, class and token class or unit."""
    names = {new: old for old, new in fresh.items()}
    sums = "sum(toUInt128(quantity)), any(price), sum(toDecimal256(amount_usd, 15))"
    rows = meter.client.query(
        f"SELECT {LABELS}, token_class, tou_period, tariff_id, {sums}, count()"
        ", sum(tokens) = if(unit = '', sum(toUInt128(quantity)), 0)"
        ", countIf(isNotNull(usd_per_million_tokens) AND isNotNull(usd_per_thousand_units))"
        f" FROM (SELECT *, {PRICE} AS price FROM {view})"
        " WHERE tenant IN {tenants:Array(String)} AND currency = if(isNull(price), '', 'USD')"
        " GROUP BY ALL",
        parameters={"tenants": list(names)},
    ).result_rows
    found = {}
    for hour, tenant, *others in rows:
        *labels, period, tariff, quantity, price, amount, parts, sound, doubly = others
        key = (hour.replace(tzinfo=UTC), names[tenant], *labels)
        assert key not in found, "two prices for one key"
        assert view != "charges" or parts == 1, "two rows for one key"
        assert sound and not doubly
        found[key] = (period, tariff, quantity, price, amount)
    return found


def exact(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(Fraction(one) if isinstance(one, Decimal) else one for one in values)


def test_the_statement_command_bills_what_the_view_does(meter: Meter, tmp_path: Path) -> None:
    series = ("utc", "deepseek", "deepseek-flash")
    hours = [datetime(2026, 5, 6, hour, tzinfo=UTC) for hour in (0, 1, 3, 4)]
    earlier = datetime(2026, 4, 30, 23, tzinfo=UTC)
    before = Reading("a", earlier, *series, "usage", 0, tokens(5, 0, 0, 2, 0))
    usual = tokens(10**6 - 1010, 1000, 10, 7000, 200)
    used = [Reading("a", hour, *series, "usage", 0, usual) for hour in hours]
    credit = Reading("a", hours[0], *series, "credit", 0, {"output": 1_000_001})
    nobody = Reading(
        "a", hours[0], "utc", "nobody", "unheard-of", "usage", 1, {"uncached_input": 3}
    )
    tenant = meter.store([before, *used, credit, nobody])["a"]
    html, pdf = tmp_path / "bill.html", tmp_path / "bill.pdf"
    files = ("--html", str(html), "--pdf", str(pdf))
    bill = json.loads(meter.database.run("statement", tenant, "2026-05", "--json", *files))

    off_peak = (10**6 - 1010 + 10) * Decimal("0.15") + 1000 * Decimal("0.003")
    off_peak += 7000 * Decimal("0.60") + 200 * Decimal("0.60")
    peak = (10**6 - 1010 + 10) * Decimal("0.30") + 1000 * Decimal("0.006")
    peak += 7000 * Decimal("1.20") + 200 * Decimal("1.23")
    energy = 2 * (off_peak + peak) / 10**6
    credited = -1_000_001 * Decimal("0.60") / 10**6
    demand = (10**6 + 7200 + 3) // 3600 * Decimal("0.000000007")
    april = f"{(5 * Decimal('0.15') + 2 * Decimal('0.60')) / 10**6:.15f}"
    assert Decimal(bill["energy_usd"]) == energy
    assert Decimal(bill["adjustments_usd"]) == credited
    assert Decimal(bill["demand_usd"]) == demand
    assert Decimal(bill["total_usd"]) == energy + credited + demand
    assert bill["unpriced_tokens"] == 3
    assert not bill["running"]
    register = {one["register"]: one for one in bill["readings"]}
    assert (register["input"]["start_tokens"], register["input"]["end_tokens"]) == (5, 4_000_008)
    assert register["output"]["used_tokens"] == 4 * 7200
    assert bill["daily_tokens"]["2026-05-06"] == 4 * (10**6 + 7200) + 3
    assert len(bill["daily_tokens"]) == 31

    page = html.read_text(encoding="utf-8")
    total = written(Decimal(bill["total_usd"]))
    assert f"USD {bill['due_usd']}" in page and total in page
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert f"Total USD {total}" in meter.database.run("statement", tenant, "2026-05")
    assert bill["month_before"] == {"period_start": "2026-04-01", "tokens": 7, "total": april}


def test_the_explain_command_says_why_and_holds_it_against_the_bill(meter: Meter) -> None:
    hour = datetime(2026, 5, 6, 1, tzinfo=UTC)
    series = ("utc", "deepseek", "deepseek-flash")
    flex = Reading("a", hour, *series, "usage", 0, {"output": 2_000_000}, "flex", 200_000)
    plain = Reading("a", hour, *series, "credit", 0, {"reasoning": 10}, units={"web_searches": 3})
    tenant = meter.store([flex, plain])["a"]
    asked = ("tariffs", "explain", "--tenant", tenant, "--hour", "2026-05-06T01")
    text = meter.database.run(*asked, "--model", "deepseek-flash", "--service-tier", "flex")
    said = " ".join(text.split())
    assert "deepseek-flash at deepseek in utc, 2026-05-06 01:00 UTC, tier flex" in said
    assert "deepseek-family (provider *, model deep*k-*, region *) fits as well, but is" in said
    assert "Wednesday, which is peak." in said and "for flex above 128,000 input tokens" in said
    assert "usage output 2,000,000 0.60 a million tokens USD 1.20" in said
    assert "web_searches" not in said
    blocks = json.loads(meter.database.run(*asked, "--model", "deepseek-flash", "--json"))
    charges = [charge for block in blocks for charge in block["charges"]]
    assert [(one["token_class"], one["unit"], one["price"], one["amount"]) for one in charges] == [
        ("reasoning", "", "1.230000000", "-0.000012300000000"),
        ("", "web_searches", "10.000000000", "-0.030000000000000"),
        ("output", "", "0.600000000", "1.200000000000000"),
    ]
    for lines, complaint in (
        (Asked(tenant, hour, "gpt-5"), "used nothing of 'gpt-5' at 2026-05-06 01:00 UTC; .*flash"),
        (Asked(tenant, hour, "deepseek-flash", region="berlin"), "but not like that"),
        (Asked("stranger", hour, "gpt-5"), "what was used: no model"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            read_charges(meter.client, lines)


def prices_charged(client: Client) -> dict[Any, Any]:
    text = "SELECT model, window_start, tou_period, tariff_id, amount_usd FROM charges"
    return {
        (model, hour.replace(tzinfo=UTC)): (period, tariff, amount)
        for model, hour, period, tariff, amount in client.query(text).result_rows
    }


@pytest.mark.nightly
def test_each_hour_of_three_months_at_deepseek_as_the_catalogue_has_it(
    databases: DatabaseFactory,
) -> None:
    """`charges` decides as `services.billing.tariff_prices` does, which has a golden."""
    catalogue, since = load_catalogue(), datetime(2026, 8, 1, tzinfo=UTC)
    hours = [since + number * HOUR for number in range(92 * 24)]
    database = databases("deepseek")
    with database.connect() as client:
        client.command("ALTER TABLE slices_hour REMOVE TTL")
        names = ["region", "provider", "model", "entry", "log", "partition", "version"]
        models = ("deepseek-flash", "deepseek-v4-pro")
        series = [("us-east", "deepseek", model, "usage", "log", 0, 1) for model in models]
        client.insert("slices_register", series, column_names=names)
        rows = [(hour, "t", *one, 1_000_000) for one in series for hour in hours]
        columns = ["window_start", "tenant", *names, "output_tokens"]
        client.insert("slices_hour", rows, column_names=columns)
        found = prices_charged(client)
        # A kind of day that the calendar has no hours for: written by another release, say.
        strange = [("deepseek-peak", date(2026, 9, 16), 9)]
        client.insert("calendar_days", strange, column_names=["calendar", "day", "weekday"])
        assert prices_charged(client) == found
    expected: dict[Any, Any] = {}
    for model in models:
        tariffs = every_tariff_of(catalogue, "us-east", "deepseek", model)
        for hour in hours:
            expected[model, hour] = ("unpriced", "unpriced", None)
            for one in prices_at(catalogue, tariffs, "us-east", hour):
                price = one.version.prices[one.period].price("output")
                expected[model, hour] = (one.period, one.tariff.tariff, price)
    assert found == expected
    by_hand = {value[0] for value in found.values() if value[1].startswith("deepseek-")}
    assert by_hand == {"flat", "peak", "off_peak"}, found


def test_prices_that_an_older_release_loaded_bill_every_class(databases: DatabaseFactory) -> None:
    """It knows five classes and nothing of tiers: its rows are what they were."""
    hour = datetime(2026, 7, 20, 10, tzinfo=UTC)
    classes = {name: 1000 + number for number, name in enumerate(CLASSES)}
    used = Reading("a", hour, "berlin", "openai", "gpt-5.6-luna", "usage", 0, classes)
    with metering(databases("five_classes", CATALOGUE)) as meter:
        meter.client.command(
            "ALTER TABLE tariffs DELETE WHERE unit != '' OR service_tier != 'standard'"
            " OR above_input_tokens != 0 OR token_class NOT IN"
            " ('uncached_input', 'cache_read', 'cache_write', 'output', 'reasoning')"
            " SETTINGS mutations_sync = 2"
        )
        charges = charges_of(meter, meter.store([used]))
    found = {key[-1]: exact(values)[3] for key, values in charges.items()}
    own = {name: found[name] for name in CLASSES if CLASSES[name] is None}
    assert own == {
        "uncached_input": Fraction(1, 2),
        "cache_read": Fraction(1, 20),
        "cache_write": Fraction(3, 5),
        "output": 3,
        "reasoning": 3,
    }
    assert found == {name: own[same or name] for name, same in CLASSES.items()}


def test_loading_a_catalogue_again_and_from_two_places_at_once(meter: Meter) -> None:
    tables = "SELECT name, comment FROM system.tables WHERE database = currentDatabase()"
    before = sorted(meter.client.query(tables).result_rows)
    assert "catalogue table tariffs: unchanged" in meter.database.migrate()
    where = meter.database.settings
    shipped = load_catalogue()
    prices = meter.client.query("SELECT count() FROM tariffs").result_rows[0][0]
    other = sum(len(one.rows) for one in table_rows(shipped) if one.table == "tariffs")
    assert prices != other
    seen = set()
    with ThreadPoolExecutor(4) as places:
        done = [
            places.submit(store_catalogue, where, catalogue, lambda line: None)
            for catalogue in (shipped, meter.catalogue, shipped, meter.catalogue)
        ]
        while not all(one.done() for one in done):
            seen.add(meter.client.query("SELECT count() FROM tariffs").result_rows[0][0])
        for one in done:
            one.result()
    assert seen <= {prices, other}, "a reader saw a table half filled"
    store_catalogue(where, meter.catalogue, lambda line: None)
    assert sorted(meter.client.query(tables).result_rows) == before, "no table is left over"


def test_the_view_of_origins_decides_as_the_catalogue_does(meter: Meter) -> None:
    rows = meter.client.query(
        "SELECT model, author, origin, license FROM model_origins"
    ).result_rows
    assert {row[0] for row in rows} == {model for _, model in SERIES}
    for model, *found in rows:
        entry = meter.catalogue.model_of(model)
        expected = ["unknown"] * 3
        if entry is not None:
            expected = [entry.author, entry.origin, entry.license]
        assert found == expected, model


def agree(meter: Meter, given: list[Reading]) -> dict[Any, Any]:
    fresh = meter.store(given)
    expected = charges_of_readings(meter.catalogue, given)
    for view in ("charges", "charge_parts"):
        found = {key: exact(values) for key, values in charges_of(meter, fresh, view).items()}
        assert found == expected, view
    check_statements(meter, fresh, given, found)
    check_explanations(meter, found)
    return found


def check_explanations(meter: Meter, charges: dict[Any, Any]) -> None:
    """What explains a price, from the tables that `charges` reads, says what it bills."""
    catalogue = read_stored_catalogue(meter.client)
    # Each place once; of very many charges some, as the same questions come again and again.
    step = max(1, len(charges) // 2000)
    explained: dict[Place, Explanation] = {}
    for key, (period, tariff, _, price, _) in sorted(charges.items())[::step]:
        hour, _, region, provider, model, _, tier, band, unit, name = key
        place = Place(hour, region, provider, model, tier, band)
        if place not in explained:
            explained[place] = explain(catalogue, place)
        found = explained[place]
        said = found.price_of(name, unit).price
        assert (None if said is None else Fraction(said)) == price, key
        if said is not None and found.chosen is not None:
            assert (found.chosen.period, found.chosen.tariff.tariff) == (period, tariff), key


@pytest.mark.nightly
def test_each_hour_around_each_edge_in_each_region(meter: Meter) -> None:
    places = itertools.product(MOMENTS, range(14), REGIONS, SERIES)
    found = agree(
        meter,
        [
            Reading(
                *("a", moment + hours * HOUR, region, *series, "usage", 0),
                tokens(4 + n, 2, 1, 5, 4),
                units={"web_searches": n + 1},
            )
            for n, (moment, hours, region, series) in enumerate(places)
        ],
    )
    periods = {(key[2], key[4], values[0]) for key, values in found.items()}
    offices = {period for _, model, period in periods if model == "office-model"}
    # Open, closed and festive by their own calendar, day and weekend by that of the next tariff.
    assert offices == {"open", "closed", "festive", "day", "weekend", "flat", "unpriced"}
    # The hour that a clock skips is no hour of small-hours; the one it repeats is two.
    small_hours = [
        key[0]
        for key, values in found.items()
        if (key[2], key[-1], values[0]) == ("berlin", "output", "small-hours")
    ]
    assert datetime(2026, 10, 25, 0, tzinfo=UTC) in small_hours
    assert datetime(2026, 10, 25, 1, tzinfo=UTC) in small_hours
    assert not [hour for hour in small_hours if hour.date() == date(2026, 3, 29)]
    assert ("not-in-the-catalogue", "night_model", "unpriced") in periods
    assert ("utc", "nightXmodel", "unpriced") in periods, "_ is no wildcard"


def test_each_class_at_each_tier_and_band(meter: Meter) -> None:
    """A class that no tariff prices is unpriced; none is billed at another tier's price."""
    hours = [datetime(2026, 7, 20, hour, tzinfo=UTC) for hour in (0, 1)]
    classes = {name: 1000 + number for number, name in enumerate(CLASSES)}
    found = agree(
        meter,
        [
            Reading("a", hour, "berlin", *series, entry, 0, classes, tier, band)
            for hour, series, tier, band in itertools.product(hours, SERIES, TIERS, BANDS)
            for entry in ("usage", "credit")
        ],
    )
    luna = {
        (key[6], key[7], key[9]): values[3]
        for key, values in found.items()
        if key[4] == "gpt-5.6-luna" and key[5] == "usage"
    }
    output = [luna["", band, "output"] for band in BANDS]
    assert output == [3, 3, 4, 4, 4, Fraction(9, 2), Fraction(9, 2)]
    batch = [luna["batch", band, "output"] for band in (0, 200_000, 272_000)]
    assert batch == [Fraction(3, 2), Fraction(3, 2), Fraction(9, 4)]
    assert luna["standard", 0, "cache_write_1h"] == Fraction(11, 10)
    assert luna["standard", 0, "cache_read_audio"] == luna["", 0, "audio_input"] == Fraction(77, 10)
    assert {luna["priority", band, name] for band in BANDS for name in CLASSES} == {None}
    flex = {key[7]: found[key][3] for key in found if key[3:5] == SERIES[0] and key[6] == "flex"}
    assert {band for band, price in flex.items() if price} == {128_000, *BANDS[3:]}


@settings(max_examples=examples(8), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(readings(), min_size=1, max_size=100))
def test_charges_and_statements_are_the_oracles(meter: Meter, given: list[Reading]) -> None:
    agree(meter, given)


def check_statements(
    meter: Meter, fresh: dict[str, str], given: list[Reading], charges: dict[Any, Any]
) -> None:
    lines: dict[Any, list[Any]] = defaultdict(lambda: [0, None])
    labels: tuple[Any, ...]
    for key, (period, tariff, quantity, price, amount) in charges.items():
        hour, tenant, region, provider, model, entry, tier, band, unit, name = key
        kind = "unpriced" if price is None else "energy" if entry == "usage" else "adjustment"
        labels = (kind, region, provider, model, entry, name, period, tariff, tier, band, unit)
        line = lines[(hour.date().replace(day=1), tenant, *labels, price)]
        line[0] += quantity
        line[1] = amount if line[1] is None else line[1] + amount
    for charge in meter.catalogue.tariffs.demand_charges:
        for (month, tenant), (tokens, hour) in demand_of_readings(given, charge.region).items():
            begin = datetime(month.year, month.month, 1, tzinfo=UTC)
            if charge.valid_from <= begin < charge.valid_to:
                rate = Fraction(charge.usd_per_token_per_second)
                labels = ("demand", charge.region, hour, tokens // 3600, charge.demand_charge, rate)
                lines[(month, tenant, *labels)] = [tokens, tokens // 3600 * rate]
    # Whoever was metered has a total, be it of 0.
    totals: dict[Any, list[Any]] = {
        (one.hour.date().replace(day=1), one.tenant): [0, Fraction(0)] for one in given
    }
    for (month, tenant, *labels_of), (quantity, amount) in lines.items():
        # A unit is no token: the total says how many tokens were used.
        used = "usage" in labels_of and labels_of[-2] == ""
        totals[month, tenant][0] += quantity if used else 0
        totals[month, tenant][1] += amount or 0

    found_lines = {}
    found_totals = {}
    names = {new: old for old, new in fresh.items()}
    rows = meter.client.query(
        "SELECT period_start, tenant, line, region, provider, model, entry, token_class,"
        " tou_period, tariff_id, service_tier, context_band, unit,"
        f" {PRICE}, peak_hour,"
        " demand_tokens_per_second, usd_per_token_per_second, quantity, amount_usd, tokens"
        " FROM statements WHERE tenant IN {tenants:Array(String)}",
        parameters={"tenants": list(names)},
    ).result_rows
    for month, new, kind, *rest in map(exact, rows):
        price, hour, demand, rate, quantity, amount, tokens = rest[10:]
        assert tokens == (0 if rest[9] else quantity)
        if kind == "total":
            found_totals[month, names[new]] = [quantity, amount]
            continue
        labels = (*rest[:10], price)
        if kind == "demand":
            labels = (rest[0], hour.replace(tzinfo=UTC), demand, rest[6], rate)
        assert (month, names[new], kind, *labels) not in found_lines
        found_lines[(month, names[new], kind, *labels)] = [quantity, amount]
    assert found_lines == dict(lines)
    assert found_totals == totals
