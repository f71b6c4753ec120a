"""The views of real electricity on a real ClickHouse: against the pure arithmetic and EcoLogits.

Slices are inserted as the aggregator writes them, each in two versions; no Kafka takes part.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue.energy import Energy
from schemas.catalogue.loading import load_energy
from services.billing.electricity import Electricity, Use, electricity, total
from services.exporter.electricity import electricity_families
from services.exporter.electricity_queries import read_energy
from tests import ecologits_oracle
from tests.versions.database import Database, DatabaseFactory
from tests.versions.effort import examples

HOUR: Final = timedelta(hours=1)
JOULES_PER_KWH: Final = 3_600_000
CATALOGUE: Final = Path(__file__).with_name("energy_catalogue")
#: When each kind of version changes: 12:00 has the old one, 13:00 the new.
CHANGE: Final = datetime(2026, 7, 15, 12, 30, tzinfo=UTC)
REGIONS: Final = ["berlin", "virginia", "atlantis"]
SERIES: Final = [
    ("openai", "gpt-5"),
    ("OpenAI", "GPT-5"),
    ("azure.ai.openai", "gpt-5"),
    ("azure.ai.openai", "our-gpt"),
    ("anthropic", "claude-opus-5-5"),
    ("vllm", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
    ("openai", "our-own"),
    ("vllm", "our-own"),
    ("nobody", "unheard-of"),
]
RANGES: Final = ("it_kwh", "kwh", "location_gco2e", "market_gco2e", "embodied_gco2e")
COUNTS: Final = (*("tokens", "unrated_tokens", "location_unrated_tokens", "market_unrated_tokens"),)
COLUMNS: Final = (
    *COUNTS,
    *(f"{name}_{end}" for name in RANGES for end in ("low", "high")),
    *(f"{name}_mean" for name in RANGES if name != "it_kwh"),
)


@dataclass(frozen=True)
class Hour:
    """What one slice of an hour holds."""

    tenant: str
    hour: datetime
    region: str
    provider: str
    model: str
    entry: str
    partition: int
    tier: str
    requests: int
    input_tokens: int
    output_tokens: int

    @property
    def use(self) -> Use:
        return Use(self.requests, self.input_tokens + self.output_tokens, self.output_tokens)


big = st.one_of(st.integers(0, 50), st.integers(0, 10**15))
hours = st.builds(
    lambda series, after, **rest: Hour(
        hour=CHANGE.replace(minute=0) + (after - 1) * HOUR,
        provider=series[0],
        model=series[1],
        **rest,
    ),
    series=st.sampled_from(SERIES),
    after=st.integers(0, 3),
    tenant=st.sampled_from(["a", "b"]),
    region=st.sampled_from(REGIONS),
    entry=st.sampled_from(["usage", "usage", "usage", "debit", "credit"]),
    partition=st.integers(0, 1),
    tier=st.sampled_from(["", "batch"]),
    requests=big,
    input_tokens=big,
    output_tokens=big,
)


@dataclass(frozen=True)
class Meter:
    """A database with the test's catalogue; each example has tenants of its own."""

    database: Database
    client: Client
    energy: Energy
    numbers: Iterator[int]

    def store(self, found: list[Hour]) -> dict[str, str]:
        """Insert under fresh tenant names, an older version with other numbers beside each row."""
        fresh = {name: f"{name}{next(self.numbers)}" for name in ("a", "b")}
        rows: dict[Any, Counter[str]] = defaultdict(Counter)
        for one in found:
            key = (
                *(one.hour, fresh[one.tenant], one.region, one.provider, one.model),
                *(one.entry, one.partition, one.tier),
            )
            rows[key].update(
                requests=one.requests,
                input_tokens=one.input_tokens,
                output_tokens=one.output_tokens,
            )
        self.insert(rows)
        return fresh

    def insert(self, rows: dict[Any, Counter[str]]) -> None:
        names = ["window_start", "tenant", "region", "provider", "model", "entry", "partition"]
        measures = ["requests", "input_tokens", "output_tokens"]
        for version, more in ((2, 0), (1, 7)):
            self.client.insert(
                "slices_hour",
                [
                    (*key, *(row[name] + more for name in measures), version, "log")
                    for key, row in rows.items()
                ],
                column_names=[*names, "service_tier", *measures, "version", "log"],
            )
        series = {(*key[2:5], key[5], key[6]) for key in rows}
        self.client.insert(
            "slices_register",
            [(*one, 1, "log") for one in series],
            column_names=["region", "provider", "model", "entry", "partition", "version", "log"],
        )

    def rows(self, view: str, tenants: list[str], by: str) -> dict[Any, tuple[Any, ...]]:
        """Sums of a view by some columns."""
        sums = ", ".join(f"sum({name})" for name in COLUMNS)
        keys = by.count(",") + 1
        answer = self.client.query(
            f"SELECT {by}, {sums} FROM {view}"
            " WHERE tenant IN {tenants:Array(String)} GROUP BY ALL",
            parameters={"tenants": tenants},
        ).result_rows
        return {row[:keys]: tuple(row[keys:]) for row in answer}


@pytest.fixture(scope="module")
def meter(databases: DatabaseFactory) -> Iterator[Meter]:
    database = databases("energy", CATALOGUE)
    with database.connect() as client:
        client.command("SYSTEM STOP MERGES slices_hour")
        yield Meter(database, client, load_energy(CATALOGUE), itertools.count())


def columns(found: Electricity) -> tuple[Any, ...]:
    """A row of `COLUMNS`; the kWh at the computers has no mean in the view."""
    ranges = {name: getattr(found, name) for name in RANGES}
    return (
        *(getattr(found, name) for name in COUNTS),
        *(end for one in ranges.values() for end in ((one and one.low), (one and one.high))),
        *(one and one.mean for name, one in ranges.items() if name != "it_kwh"),
    )


def of(energy: Energy, one: Hour, use: Use | None = None) -> Electricity:
    labels = {"region": one.region, "provider": one.provider, "model": one.model}
    return electricity(energy, use or one.use, at=one.hour, **labels)


@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(found=st.lists(hours, min_size=1, max_size=25))
def test_views_are_the_arithmetic_to_the_last_digit(meter: Meter, found: list[Hour]) -> None:
    fresh = meter.store(found)
    expected: dict[Any, list[Electricity]] = defaultdict(list)
    for one in found:
        if one.entry == "usage":
            key = (one.hour.replace(tzinfo=None), fresh[one.tenant], one.region)
            expected[(*key, one.provider, one.model)].append(of(meter.energy, one))
    rows = {key: columns(total(parts)) for key, parts in expected.items()}
    by = "window_start, tenant, region, provider, model"
    tenants = list(fresh.values())
    # NULL where nothing is rated; sums of what is.
    assert meter.rows("energy", tenants, by) == rows
    assert meter.rows("energy_parts", tenants, by) == rows


def test_hours_are_what_the_library_says_of_their_requests(meter: Meter) -> None:
    """Each request by itself, and our hours of all of them: equal to 1 in 10^12."""
    models = ["gpt-5", "gpt-4o", "o1", "gpt-5.6-luna"]
    made = [(models[n % 4], 7 + n * n % 1999) for n in range(2000)]
    rows: dict[Any, Counter[str]] = defaultdict(Counter)
    for number, (model, tokens) in enumerate(made):
        hour = datetime(2026, 7, 1, number % 24, tzinfo=UTC)
        key = (hour, "library", "virginia", "openai", model, "usage", number % 2, "")
        rows[key].update(requests=1, input_tokens=100, output_tokens=tokens)
    meter.insert(rows)
    answers = [ecologits_oracle.asked("openai", model, tokens, "USA") for model, tokens in made]
    expected = ecologits_oracle.added(answers)
    ((row,),) = [list(meter.rows("energy", ["library"], "1").values())]
    found = dict(zip(COLUMNS, row, strict=True))
    ends = [float(found[name]) for name in ("kwh_low", "kwh_high")]
    assert ends == pytest.approx(expected.kwh, rel=1e-12, abs=0)
    assert float(found["kwh_mean"]) == pytest.approx(sum(expected.kwh) / 2, rel=1e-12, abs=0)
    embodied = [float(found[name]) for name in ("embodied_gco2e_low", "embodied_gco2e_high")]
    assert embodied == pytest.approx(expected.embodied_gco2e, rel=1e-12, abs=0)
    # The library's own factor is of the whole country, ours of one state.
    mix = ecologits_oracle.mix_gco2e_per_kwh("USA") / 244.757989
    emitted = [float(found[name]) * mix for name in ("location_gco2e_low", "location_gco2e_high")]
    assert emitted == pytest.approx(expected.usage_gco2e, rel=1e-12, abs=0)


def test_a_contract_of_no_emission_is_0_and_a_missing_one_is_none(meter: Meter) -> None:
    at = datetime(2026, 7, 15, 11, tzinfo=UTC)
    plain = {"entry": "usage", "partition": 0, "tier": "", "requests": 1, "input_tokens": 2}
    made = [
        Hour("a", at, region, "openai", "gpt-5", output_tokens=3, **plain)  # type: ignore[arg-type]
        for region in ("virginia", "berlin")
    ]
    fresh = meter.store(made)
    rows = meter.rows("energy", [fresh["a"]], "region")
    place = COLUMNS.index("market_gco2e_high")
    assert rows[("virginia",)][place] == Decimal(0)
    assert rows[("berlin",)][place] is None
    assert rows[("berlin",)][COLUMNS.index("market_unrated_tokens")] == 5


def test_what_a_canary_sends_takes_nothing(meter: Meter) -> None:
    key = (CHANGE.replace(minute=0), "wattoken-canary-2", "berlin", "openai", "gpt-5", "usage", 0)
    meter.insert({(*key, ""): Counter(requests=1, input_tokens=1, output_tokens=1)})
    assert meter.rows("energy", ["wattoken-canary-2"], "tenant") == {}


def test_the_largest_totals_that_there_can_be_fit(meter: Meter) -> None:
    """2^63 is where a worker stops; several partitions' sum may be larger."""
    most = 2**63 - 1
    key = (CHANGE.replace(minute=0), "most", "berlin", "openai", "gpt-5", "usage")
    counts = Counter(requests=most - 7, input_tokens=most - 7, output_tokens=most - 7)
    meter.insert({(*key, partition, ""): counts for partition in range(4)})
    one = Hour("most", key[0], "berlin", "openai", "gpt-5", "usage", 0, "", 0, 0, 0)
    expected = of(
        meter.energy, one, Use(*(4 * count for count in (most - 7, 2 * most - 14, most - 7)))
    )
    assert meter.rows("energy", ["most"], "tenant") == {("most",): columns(expected)}


def test_a_bill_says_what_its_tokens_took_and_charges_nothing_for_it(meter: Meter) -> None:
    """As `wattoken statement --json` tells it, to the last digit, by model."""
    found = [
        Hour("a", CHANGE.replace(minute=0), region, provider, model, entry, 0, "", 3, 1_000, 400)
        for region in REGIONS
        for provider, model in (("openai", "gpt-5"), ("nobody", "unheard-of"))
        for entry in ("usage", "credit")
    ]
    tenant = meter.store(found)["a"]
    told = json.loads(meter.database.run("statement", tenant, "2026-07", "--json"))["electricity"]
    # Of equal tokens by name.
    unheard, gpt = told["models"]
    expected = total(
        of(meter.energy, one) for one in found if (one.entry, one.model) == ("usage", "gpt-5")
    )
    assert expected.kwh is not None and expected.location_gco2e is not None
    assert {name: Decimal(value) for name, value in gpt["kwh"].items()} == {
        "low": expected.kwh.low,
        "mean": expected.kwh.mean,
        "high": expected.kwh.high,
    }
    assert Decimal(gpt["location_gco2e"]["high"]) == expected.location_gco2e.high
    assert gpt["location_unrated_tokens"] == expected.location_unrated_tokens == 1_400
    assert (unheard["kwh"], unheard["unrated_tokens"], unheard["tokens"]) == (None, 4_200, 4_200)
    assert told["total"]["kwh"] == gpt["kwh"]


def test_the_exporter_tells_joules_and_grams_of_this_month(meter: Meter) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hour = Hour("a", now, "virginia", "openai", "gpt-5", "usage", 0, "", 2, 100, 10**9)
    meter.store([hour])
    families = {
        one.meaning.name: dict(zip(map(tuple, one.label_sets), one.values, strict=True))
        for one in electricity_families(read_energy(meter.client), lambda series: series)
    }
    expected = of(meter.energy, hour)
    assert expected.kwh is not None and expected.location_gco2e is not None
    joules = families["wattoken_billing_period_electricity_joules"]
    assert joules["virginia", "openai", "gpt-5", "high"] == pytest.approx(
        float(expected.kwh.high * JOULES_PER_KWH), rel=1e-12
    )
    grams = families["wattoken_billing_period_co2e_grams"]
    assert grams["virginia", "location", "mean"] == pytest.approx(
        float(expected.location_gco2e.mean), rel=1e-12
    )
