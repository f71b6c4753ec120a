"""A scrape shows what its collectors found, and leaves out just the families that need the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from services.exporter import scrape
from services.exporter.electricity import ElectricityRow
from services.exporter.exposition import Family
from services.exporter.metric_definitions import FRESH, KEPT, METRICS
from services.exporter.readings import Readings
from services.exporter.rows import (
    REGISTER_COLUMNS,
    Bill,
    Catalogue,
    CheckpointRow,
    DemandRow,
    LogEnds,
    ModelRow,
    PeakRow,
    PriceListRow,
    PriceRow,
    Reconciliation,
    RegisterRow,
    Series,
    WeekRow,
)
from services.exporter.sampler import Sample
from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.platform.errors import ConfigurationError

SERIES = Series("eu", "openai", "gpt")
CANARY = Series("wattoken-canary", "wattoken-canary", "wattoken-canary")
REGISTERS = [
    RegisterRow(SERIES, tuple(range(1, len(REGISTER_COLUMNS) + 1))),
    RegisterRow(CANARY, (100,) * len(REGISTER_COLUMNS)),
]
CHECKPOINT = CheckpointRow("c/now", 0, "usage.events.v1", 90, 9, 6, 1, 1, {"too_old": 2}, 5000, 1)
VALUES: dict[str, Any] = {
    "registers": REGISTERS,
    "checkpoints": [CHECKPOINT],
    "log": LogEnds("c/now", {0: 0}, {0: 100}),
    "demand": [DemandRow(SERIES, 2.0, 3.0)],
    "intervals": {"eu": 900},
    "peaks": [PeakRow("eu", 900, 2.0, 1_700_000_100, 1.5)],
    "bills": [Bill(SERIES, "flat", Decimal("0.1")), Bill(SERIES, "unpriced", Decimal(0), 7)],
    "energy": [
        ElectricityRow(
            *(SERIES, 9, (1.0, 1.5, 2.0), (10.0, 20.0, 30.0)),
            *((None, None, None), (4.0, 5.0, 6.0)),
        )
    ],
    "league": [WeekRow("CN", 469, 0.6, 2)],
    "catalogue": Catalogue(
        {"eu": 7},
        [PriceRow("openai", "gpt", "output", "flat", 6e-07)],
        [ModelRow("gpt", "OpenAI", "US", "closed")],
        [PriceListRow("genai-prices", "0.2.3", 1_764_115_200)],
    ),
    "reconciliation": Reconciliation(1, 2, 3),
}


def found(*failing: str, **values: Any) -> Readings:
    """What the collectors found, but for those that fail."""
    samples = {
        name: Sample(None, f"no {name}", 0.5)
        if name in failing
        else Sample(values.get(name, value), None, 0.25)
        for name, value in VALUES.items()
    }
    return Readings(**samples)


class Sources:
    """Gives what was found, one after the other, and the last again and again."""

    def __init__(self, *readings: Readings) -> None:
        self._left = list(readings)
        self.reads = 0
        self.checkpoints = self

    async def read(self) -> Readings:
        self.reads += 1
        await asyncio.sleep(0)
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    async def sample(self) -> Sample[list[CheckpointRow]]:
        return (await self.read()).checkpoints


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(sources: Sources, **settings: Any) -> Scraper:
        monkeypatch.setattr(scrape, "Readers", lambda _: sources)
        return Scraper(ExporterSettings(**settings), clock=lambda: 1_775_001_600.0)

    return made


Shown = dict[str, dict[tuple[str, ...], float]]


def shown(families: Collection[Family]) -> Shown:
    """The samples of the families that have any: one without is left out when it is written."""
    assert len({one.meaning.name for one in families}) == len(families)
    return {
        one.meaning.name: dict(zip(map(tuple, one.label_sets), one.values, strict=True))
        for one in families
        if one.label_sets
    }


def scraped(scraper: Scraper, count: int = 1) -> Shown:
    """What the last of so many scrapes shows."""

    async def scenario() -> Shown:
        return [shown(await scraper.scrape()) for _ in range(count)][-1]

    return asyncio.run(scenario())


@pytest.mark.parametrize("failing", ["none", *FRESH, *KEPT])
def test_one_that_fails_takes_away_the_families_that_need_it_and_no_other(
    make: Any, failing: str
) -> None:
    assert set(scraped(make(Sources(found(failing))))) == {
        one.name for one in METRICS if failing not in one.collectors
    }


def test_without_clickhouse_only_the_exporter_speaks_of_itself(make: Any) -> None:
    """What was kept from before is not shown as if it were of now."""
    families = scraped(make(Sources(found("registers", "checkpoints"))))
    assert set(families) == {one.name for one in METRICS if one.collectors == ("exporter",)}
    assert families["wattoken_up"] == {(): 0}
    assert families["wattoken_billing_period_start_timestamp_seconds"] == {(): 1_775_001_600}


@pytest.mark.parametrize("failing", ["registers", "checkpoints", "log", "league"])
def test_each_collector_tells_how_it_fared(make: Any, failing: str) -> None:
    families = scraped(make(Sources(found(failing))))
    names = (*FRESH, *KEPT)
    assert families["wattoken_scrape_collector_success"] == {
        (name,): int(name != failing) for name in names
    }
    assert families["wattoken_scrape_collector_duration_seconds"] == {
        (name,): 0.5 if name == failing else 0.25 for name in names
    }
    assert families["wattoken_up"] == {(): int(failing not in {"registers", "checkpoints"})}


def test_scrapes_that_come_at_once_share_one_and_none_takes_it_from_the_others(make: Any) -> None:
    sources = Sources(found())
    scraper = make(sources)

    async def scenario() -> None:
        tasks = [asyncio.create_task(scraper.scrape()) for _ in range(5)]
        await asyncio.sleep(0)
        # A client that hangs up.
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        first, *others = await asyncio.gather(*tasks[1:])
        assert all(one is first for one in others)
        assert sources.reads == 1
        assert shown(await scraper.scrape()) == shown(first)
        assert sources.reads == 2

    asyncio.run(scenario())


def test_a_region_that_went_silent_keeps_its_last_interval(make: Any) -> None:
    sources = Sources(
        found(intervals={"eu": 900, "us": 900}), found(intervals={"us": 1800}), found("intervals")
    )
    scraper = make(sources)
    name = "wattoken_last_closed_interval_end_timestamp_seconds"
    assert scraped(scraper, 2)[name] == {("eu",): 900, ("us",): 1800}
    assert name not in scraped(scraper), "what cannot be read now is not shown"


def test_while_kafka_is_away_the_log_that_it_named_last_is_shown(make: Any) -> None:
    # Of a log before, and appended to later: without Kafka's word it would be taken for newer.
    before = replace(CHECKPOINT, log="c/before", newest_event_ms=9000, last_append_ms=2)
    rows = [CHECKPOINT, before]
    sources = Sources(found(checkpoints=rows), found("log", checkpoints=rows))
    families = scraped(make(sources), 2)
    assert families["wattoken_watermark_timestamp_seconds"] == {("0",): 5}
    assert "wattoken_consumer_lag_messages" not in families


def test_counters_that_are_held_are_counted_and_told_once(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = found(registers=[RegisterRow(SERIES, (0,) * len(REGISTER_COLUMNS))])
    sources = Sources(found(), less, less, found(), found())
    with capture_logs() as entries:
        # Ours was made before, and keeps what it was made with.
        monkeypatch.setattr(scrape, "_log", structlog.get_logger())
        scraper = make(sources)
        assert scraped(scraper)["wattoken_held_series"] == {(): 0}
        held = scraped(scraper, 2)
        assert held["wattoken_held_series"] == {(): 1}
        assert held["wattoken_requests_total"] == {SERIES: 1}
        assert scraped(scraper, 2)["wattoken_held_series"] == {(): 0}
    assert [("no longer" in entry["event"], entry["of"]) for entry in entries] == [
        (False, "registers"),
        (True, "registers"),
    ]


def test_a_canary_is_in_no_counter_of_usage_and_takes_nobodys_name(make: Any) -> None:
    families = scraped(make(Sources(found()), exporter_max_series=1))
    assert families["wattoken_requests_total"] == {SERIES: 1}
    assert families["wattoken_omitted_series"] == {(): 0}
    for column in ("requests", "input_tokens", "output_tokens"):
        assert families[f"wattoken_canary_metered_{column}"] == {("wattoken-canary",): 100}
    of_canaries = {
        name
        for name, samples in families.items()
        for labels in samples
        if any(label.startswith("wattoken-canary") for label in labels)
    }
    assert all(name.startswith("wattoken_canary_metered_") for name in of_canaries)


def test_what_has_no_price_is_tokens_and_no_charge(make: Any) -> None:
    families = scraped(make(Sources(found())))
    assert families["wattoken_billing_period_unpriced_tokens"] == {("openai", "gpt"): 7}
    assert families["wattoken_billing_period_charges_usd"] == {(*SERIES, "flat"): 0.1}


def test_electricity_is_in_joules_and_what_nobody_rated_is_absent(make: Any) -> None:
    families = scraped(make(Sources(found())))
    assert families["wattoken_billing_period_electricity_joules"] == {
        (*SERIES, "low"): 3_600_000,
        (*SERIES, "mean"): 5_400_000,
        (*SERIES, "high"): 7_200_000,
    }
    assert families["wattoken_billing_period_co2e_grams"] == {
        ("eu", "location", "low"): 10,
        ("eu", "location", "mean"): 20,
        ("eu", "location", "high"): 30,
        ("eu", "embodied", "low"): 4,
        ("eu", "embodied", "mean"): 5,
        ("eu", "embodied", "high"): 6,
    }
    assert families["wattoken_billing_period_unrated_tokens"] == {("openai", "gpt"): 9}


def test_beyond_the_limit_all_speak_of_the_same_other(make: Any) -> None:
    rare = Series("us", "openai", "rare")
    registers = [*REGISTERS, RegisterRow(rare, (1,) * len(REGISTER_COLUMNS))]
    readings = found(
        registers=registers,
        demand=[DemandRow(SERIES, 2.0, 3.0), DemandRow(rare, 1.0, 1.0)],
        bills=[Bill(SERIES, "flat", Decimal(1)), Bill(rare, "flat", Decimal(2))],
        energy=[
            ElectricityRow(series, 0, (kwh,) * 3, (kwh,) * 3, (None,) * 3, (None,) * 3)
            for series, kwh in ((SERIES, 1.0), (rare, 2.0), (rare, 4.0))
        ],
    )
    families = scraped(make(Sources(readings), exporter_max_series=1))
    other = Series("other", "other", "other")
    assert families["wattoken_omitted_series"] == {(): 1}
    assert set(families["wattoken_requests_total"]) == {SERIES, other}
    assert families["wattoken_block_demand_tokens_per_second"] == {SERIES: 2, other: 1}
    assert families["wattoken_billing_period_charges_usd"] == {
        (*SERIES, "flat"): 1,
        (*other, "flat"): 2,
    }
    joules = families["wattoken_billing_period_electricity_joules"]
    assert joules[(*SERIES, "low")] == 3_600_000
    assert joules[(*other, "high")] == 6 * 3_600_000
    assert families["wattoken_billing_period_co2e_grams"]["other", "location", "mean"] == 6
    assert "wattoken_billing_period_unrated_tokens" not in families


def test_a_state_folder_is_held_until_the_scraper_is_closed(make: Any, tmp_path: Path) -> None:
    less = found(registers=[RegisterRow(SERIES, (0,) * len(REGISTER_COLUMNS))])
    first = make(Sources(found()), exporter_state_dir=tmp_path)
    assert scraped(first)["wattoken_heights_kept"] == {(): 1}
    with pytest.raises(ConfigurationError, match="another exporter"):
        make(Sources(less), exporter_state_dir=tmp_path)
    first.close()
    # One that starts again begins where the first one ended.
    again = make(Sources(less), exporter_state_dir=tmp_path)
    assert scraped(again)["wattoken_requests_total"] == {SERIES: 1}
    again.close()


def test_why_clickhouse_cannot_be_read_is_said(make: Any) -> None:
    for failing, reason in (("checkpoints", "no checkpoints"), ("log", None)):
        scraper = make(Sources(found(failing)))
        assert asyncio.run(scraper.clickhouse_error()) == reason
