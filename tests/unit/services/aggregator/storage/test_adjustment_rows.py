"""A debit or credit as a row: every column of the table, as the event and its class say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from schemas.measures import MEASURES
from schemas.price_class import PriceClass
from schemas.wire import decode_unchecked
from services.aggregator.core.adjustments import MeteredAdjustment
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.slices import SliceRows
from services.aggregator.core.windows import FAMILIES
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.storage.adjustment_rows import ADJUSTMENT_COLUMNS, adjustment_rows
from services.platform.kafka_log import Log
from tests.property.world import T0_MS, event

LOG = Log("cluster", "topic-id", "usage.events.v1", 4)
SQL = Path(__file__).parents[5] / "schemas/clickhouse/0018_adjustments.sql"


def snapshot(*found: MeteredAdjustment) -> Snapshot:
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
    one = MeteredAdjustment(8, T0_MS + 5, series, price_class, decode_unchecked(value))
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


def test_no_column_of_the_table_is_left_to_its_default() -> None:
    body = SQL.read_text(encoding="utf-8").split("\n(\n")[1].split("\n)\n")[0]
    columns = re.findall(r"^    (\w+)", body, re.MULTILINE)
    assert set(columns) - {"written_at"} == set(ADJUSTMENT_COLUMNS)
