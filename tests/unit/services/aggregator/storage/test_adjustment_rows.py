"""An event kept whole as a row: every column of its table, as the event and its class say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from schemas.measures import MEASURES
from schemas.price_class import PriceClass
from schemas.wire import decode_unchecked
from services.aggregator.core.kept_events import MeteredEvent
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.slices import SliceRows
from services.aggregator.core.windows import FAMILIES
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.storage.adjustment_rows import (
    ADJUSTMENT_COLUMNS,
    BELATED_COLUMNS,
    adjustment_rows,
    belated_rows,
)
from services.platform.kafka_log import Log
from tests.property.world import T0_MS, event

LOG = Log("cluster", "topic-id", "usage.events.v1", 4)
SQL = Path(__file__).parents[5] / "schemas/clickhouse"


def snapshot(*found: MeteredEvent) -> Snapshot:
    empty = SliceRows(np.empty(0, np.int64), np.empty((0, len(MEASURES)), np.int64))
    rows = {family.name: empty for family in FAMILIES}
    return Snapshot(3, rows, [], Checkpoint(9, 0), 0, [], list(found))


def test_each_column_is_what_the_event_says() -> None:
    labels = Labels()
    labels.series.number(Series("usage", "no", "no", "no"))
    series = labels.series.number(Series("credit", "other", "other", "other"))
    price_class = labels.classes.number(PriceClass("batch", 200_000))
    value = event(
        7,
        T0_MS + 59 * 60_000 + 59_999,
        100,
        **{"entry": "credit", "adjusts": "req-1", "reason": "流中断", "output_tokens": 40},
        **{"cache_read_input_tokens": 30, "reasoning_output_tokens": 5, "audio_input_tokens": 6},
        **{"web_searches": 2, "pages": 0, "service_tier": "batch"},
    )
    one = MeteredEvent(8, T0_MS + 5, series, price_class, decode_unchecked(value))
    (row,) = adjustment_rows([snapshot(), snapshot(one)], labels, LOG)
    found = dict(zip(ADJUSTMENT_COLUMNS, row, strict=True))
    tokens = {name: found.pop(name) for name in MEASURES if name in found}
    assert {name: count for name, count in tokens.items() if count} == {
        "input_tokens": 100,
        "output_tokens": 40,
        "cache_read_input_tokens": 30,
        "reasoning_output_tokens": 5,
        "audio_input_tokens": 6,
    }
    assert found == {
        "log": LOG.name,
        "partition": 3,
        "offset": 8,
        "topic": "usage.events.v1",
        "append_time": datetime(2026, 3, 15, 12, 0, 0, 5000, tzinfo=UTC),
        "tenant": "tenant-1",
        "event_time": datetime(2026, 3, 15, 12, 59, 59, 999000, tzinfo=UTC),
        "window_start": datetime(2026, 3, 15, 12, tzinfo=UTC),
        "source": "gateway",
        "id": "id-7",
        "adjusts": "req-1",
        "reason": "流中断",
        "entry": "credit",
        "region": "other",
        "provider": "other",
        "model": "other",
        "service_tier": "batch",
        "context_band": 200_000,
        "units": {"web_searches": 2},
    }


def test_belated_usage_has_the_same_columns_but_those_of_corrections() -> None:
    labels = Labels()
    series = labels.series.number(Series("usage", "eu", "p", "m"))
    price_class = labels.classes.number(PriceClass("flex", 0))
    value = event(7, T0_MS, 100, output_tokens=40, pages=3)
    one = MeteredEvent(8, T0_MS + 5, series, price_class, decode_unchecked(value))
    of_it = replace(snapshot(), belated=[one])
    assert adjustment_rows([of_it], labels, LOG) == []
    (row,) = belated_rows([snapshot(one), of_it], labels, LOG)
    (whole,) = adjustment_rows([snapshot(one)], labels, LOG)
    named = dict(zip(ADJUSTMENT_COLUMNS, whole, strict=True))
    assert dict(zip(BELATED_COLUMNS, row, strict=True)) == {
        name: value for name, value in named.items() if name not in ("entry", "adjusts", "reason")
    }


@pytest.mark.parametrize(
    ("file", "table", "columns"),
    [
        ("0018_adjustments.sql", "adjustments", ADJUSTMENT_COLUMNS),
        ("0023_settlements.sql", "belated_events", BELATED_COLUMNS),
    ],
)
def test_no_column_of_the_table_is_left_to_its_default(
    file: str, table: str, columns: tuple[str, ...]
) -> None:
    text = (SQL / file).read_text(encoding="utf-8")
    body = text.split(f"CREATE TABLE IF NOT EXISTS {table}\n(\n")[1].split("\n)\n")[0]
    found = re.findall(r"^    (\w+)", body, re.MULTILINE)
    assert set(found) - {"written_at"} == set(columns)
