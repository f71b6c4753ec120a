"""From records to the bill: what a credit corrects and why, and amounts that are the charges'.

The real decoder, core and sink write into a real ClickHouse; no Kafka takes part.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.metering_rules import HOUR_MS, MeteringRules
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.platform.kafka_log import Log
from tests.property.world import T0_MS, event
from tests.versions.database import Database, DatabaseFactory

LOG = Log("cluster", "topic-id", "usage.events.v1", 4)
PLAIN = "uncached_input: 2, cache_read: 1, cache_write: 2, output: 8, reasoning: 9"
BATCH = "uncached_input: 1, cache_read: 1, cache_write: 1, output: 4, reasoning: 4"
TARIFFS = f"""\
version: test
tariffs:
  - tariff: all
    provider: p
    model: "m-*"
    region: "*"
    versions:
      - valid_from: 2026-01-01
        source: s
        source_date: 2026-01-01
        prices: {{flat: {{{PLAIN}}}}}
        units: {{web_searches: 10}}
        variants:
          - {{service_tier: batch, prices: {{flat: {{{BATCH}}}}}}}
"""
CREDIT: dict[str, Any] = {
    "entry": "credit",
    "adjusts": "id-1",
    "reason": "stream broke off, 流中断",
}


@pytest.fixture(scope="module")
def database(databases: DatabaseFactory, tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder: Path = tmp_path_factory.mktemp("catalogue")
    (folder / "tariffs.yaml").write_text(TARIFFS)
    database = databases("adjustments", folder)
    with database.connect() as client:
        for table in ("slices_hour", "slices_unit", "slices_minute", "adjustments"):
            client.command(f"ALTER TABLE {table} REMOVE TTL")
    return database


def metered(database: Database, values: list[bytes], *, times: int = 2) -> None:
    """Meter records as a worker does, and flush them; again, as a zombie would."""
    labels = Labels()
    rules = RuleBook(((0, MeteringRules(context_thresholds=(1000,))),))
    state = PartitionState(
        3, rules, Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, Decoder(labels)
    )
    offsets = np.arange(len(values), dtype=np.int64)
    state.fold(state.sift(Records(offsets, np.full(len(values), T0_MS, np.int64), values)))
    snapshot = state.snapshot()
    assert snapshot is not None
    sink = ClickHouseSink(database.settings, LOG, labels)
    for _ in range(times):
        sink.write_rows([snapshot])
    sink.close()


def test_each_credit_is_on_the_bill_with_its_reason_and_its_amount(database: Database) -> None:
    tiered = {"service_tier": "batch"}
    metered(
        database,
        [
            event(1, T0_MS, 5000, output_tokens=400),
            event(7, T0_MS, 300, output_tokens=40, reasoning_output_tokens=10, **CREDIT),
            event(7, T0_MS, 300, output_tokens=40, reasoning_output_tokens=10, **CREDIT),
            event(13, T0_MS, 2000, output_tokens=1, **CREDIT | {"reason": "again"}, **tiered),
            event(19, T0_MS - HOUR_MS, 7, output_tokens=3, web_searches=2, **CREDIT),
            event(
                25, T0_MS, 1, output_tokens=1, **CREDIT | {"entry": "debit", "adjusts": "x" * 128}
            ),
            event(2, T0_MS, 9, output_tokens=9, **CREDIT),
        ],
    )
    with database.connect() as client:
        count = "SELECT count(), uniqExact(offset) FROM adjustments FINAL"
        assert client.query(count).result_rows == [(5, 5)]
    bill = json.loads(database.run("statement", "tenant-1", "2026-03", "--json"))
    found = {one["event_id"]: one for one in bill["adjusting_events"]}
    assert {name: (one["entry"], one["reason"]) for name, one in found.items()} == {
        "id-7": ("credit", CREDIT["reason"]),
        "id-13": ("credit", "again"),
        "id-19": ("credit", CREDIT["reason"]),
        "id-25": ("debit", CREDIT["reason"]),
    }
    assert {name: Decimal(one["amount"]) for name, one in found.items()} == {
        "id-7": -(300 * 2 + 30 * 8 + 10 * 9) * Decimal("0.000001"),
        "id-13": -(2000 * 1 + 1 * 4) * Decimal("0.000001"),
        "id-19": -(7 * 2 + 3 * 8) * Decimal("0.000001") - 2 * 10 * Decimal("0.001"),
        "id-25": (1 * 2 + 1 * 8) * Decimal("0.000001"),
    }
    assert sum(Decimal(one["amount"]) for one in found.values()) == Decimal(bill["adjustments"])
    assert (found["id-7"]["adjusts"], found["id-25"]["adjusts"]) == ("id-1", "x" * 128)
    assert found["id-7"]["time"] == "2026-03-15T12:00:00Z"
    text = " ".join(database.run("statement", "tenant-1", "2026-03").split())
    assert "corrects id-1: again" in text and "metered before" not in text


def test_what_was_metered_before_events_were_kept_is_on_the_bill_without_a_reason(
    database: Database,
) -> None:
    with database.connect() as client:
        client.command("TRUNCATE TABLE adjustments")
    bill = json.loads(database.run("statement", "tenant-1", "2026-03", "--json"))
    assert {one.get("event_id") for one in bill["adjusting_events"]} == {None}
    amounts = [Decimal(one["amount"]) for one in bill["adjusting_events"]]
    assert sum(amounts) == Decimal(bill["adjustments"]) != 0
    assert "metered before reasons were kept" in " ".join(
        database.run("statement", "tenant-1", "2026-03").split()
    )
