"""What the sink hands to the driver, and what it makes of answers.

The tests with a real server are in tests/integration; here is what needs none, down to each bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from clickhouse_connect.driver.external import ExternalData

from schemas.measures import MEASURES
from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules, row_of
from schemas.price_class import PLAIN, PriceClass
from schemas.wire import decode_unchecked
from services.aggregator.core.dead_letters import DeadLetter
from services.aggregator.core.kept_events import MeteredEvent
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slice_keys import pack, varieties
from services.aggregator.core.slices import SliceRows, TotalTooLargeError
from services.aggregator.core.windows import FAMILIES, HOUR, MINUTE, REGISTER, UNIT, Family
from services.aggregator.decoding.batch_mark import BatchMark
from services.aggregator.decoding.labels import Labels, Series, Unit
from services.aggregator.storage import connection
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.aggregator.storage.reader import LOOK_UP_KEYS_MAX
from services.platform.errors import ConfigurationError, DatabaseUnavailableError
from services.platform.kafka_log import Log
from services.platform.settings import ClickHouseSettings
from tests.native_reader import read_native
from tests.property.world import event

LOG = Log("cluster", "topic-id", "usage.events.v1", 12)
NOON_MS = 1_773_576_000_000  # 2026-03-15T12:00:00Z
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
FIRST = Series("usage", "eu", "openai", "gpt")
SECOND = Series("credit", "us", "anthropic", "claude")
TOTALS = dict(zip(MEASURES, (3, 1, 700, 20, 10, 30, 5, 0, *[0] * 7, 4), strict=True))
BATCH = PriceClass("batch", 200_000)
SERIES_OF = itemgetter(*Series._fields)


class Answer:
    def __init__(self, rows: Sequence[Any]) -> None:
        self.result_rows = rows


class Driver:
    """Stands for the driver's client: keeps what it is given, answers what it was told to."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, list[str], list[dict[str, Any]]]] = []
        self.inserts: list[tuple[str, list[dict[str, Any]]]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Any] = []
        self.refusals: list[Exception | None] = []
        self.bodies: list[bytes] = []
        #: What stood beside queries.
        self.keys: list[list[dict[str, Any]]] = []
        self.closed = 0

    def raw_insert(
        self,
        table: str,
        column_names: list[str],
        body: bytes,
        settings: dict[str, Any] | None = None,
        *,
        fmt: str,
    ) -> None:
        assert fmt == "Native"
        assert settings == {"optimize_on_insert": 0, "distributed_foreground_insert": 1}
        self.bodies.append(body)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal
        if body:
            self.blocks.append((table, column_names, read_native(body)))

    def insert(
        self, table: str, rows: list[list[Any]], column_names: list[str], settings: dict[str, Any]
    ) -> None:
        # On a cluster an answer must mean that the shards have it.
        assert settings == {"distributed_foreground_insert": 1}
        self.inserts.append((table, [dict(zip(column_names, row, strict=True)) for row in rows]))

    def query(self, text: str, parameters: dict[str, Any]) -> Answer:
        self.asked.append((text, parameters))
        return Answer(self.answers.pop(0))

    @contextmanager
    def query_column_block_stream(
        self, text: str, parameters: dict[str, Any], external_data: ExternalData | None = None
    ) -> Iterator[Iterator[Any]]:
        self.asked.append((text, parameters))
        if external_data is not None:
            (table,) = external_data.files
            assert f"FROM {table.name})" in text and table.fmt == "Native"
            self.keys.append(read_native(table.data))
        yield iter(self.answers.pop(0))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> list[Driver]:
    """Every connection that was made, in order."""
    made: list[Driver] = []

    def connect(settings: ClickHouseSettings) -> Driver:
        made.append(Driver())
        return made[-1]

    monkeypatch.setattr(connection, "connect", connect)
    return made


@pytest.fixture
def labels() -> Labels:
    labels = Labels()
    # Numbers that are no places, so that one taken for the other is seen.
    for number in range(5):
        labels.series.number(Series("usage", "r", "p", f"other-{number}"))
        labels.tenants.number(f"other-{number}")
    labels.series.number(FIRST)
    labels.series.number(SECOND)
    labels.tenants.number("acme")
    labels.tenants.number("zeta")
    return labels


@pytest.fixture
def sink(labels: Labels, drivers: list[Driver]) -> ClickHouseSink:
    sink = ClickHouseSink(ClickHouseSettings(), LOG, labels)
    sink._connected()
    return sink


def key_of(
    labels: Labels,
    family: Family,
    series: Series,
    tenant: str = "acme",
    at_ms: int = NOON_MS,
    variety: PriceClass | Unit = PLAIN,
) -> int:
    windows = np.array([family.window_number(at_ms)])
    tenants = np.array([labels.tenants.number(tenant)])
    numbered = np.array([labels.series.number(series)])
    kinds = np.array([varieties(family, labels).number(variety) if family.variety else 0])
    return int(pack(family, labels, windows, tenants, numbered, kinds)[0])


def rows(keys: Sequence[int], *totals: dict[str, int]) -> SliceRows:
    table = [[total.get(name, 0) for name in MEASURES] for total in totals]
    return SliceRows(np.array(keys, np.int64), np.array(table, np.int64).reshape(-1, len(MEASURES)))


def snapshot(
    partition: int, next_offset: int, letters: Sequence[DeadLetter] = (), **by_family: SliceRows
) -> Snapshot:
    held = {family.name: by_family.get(family.name, rows([])) for family in FAMILIES}
    return Snapshot(partition, held, list(letters), Checkpoint(next_offset, 0), 0)


def test_a_slice_is_written_whole_in_each_family(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    one = snapshot(
        *(4, 90),
        register=rows([key_of(labels, REGISTER, FIRST)], TOTALS),
        minute=rows([key_of(labels, MINUTE, SECOND, at_ms=NOON_MS + MINUTE_MS)], TOTALS),
        hour=rows([key_of(labels, HOUR, FIRST, "zeta", variety=BATCH)], TOTALS),
        unit=SliceRows(
            np.array([key_of(labels, UNIT, FIRST, "zeta", variety=Unit("pages"))]),
            np.array([[9]], np.int64),
        ),
    )
    sink.write_rows(iter([one]))
    common = {"log": LOG.name, "partition": 4, "version": 90}
    measured = {name: total for name, total in TOTALS.items() if total}
    written = {table: (names, found) for table, names, found in drivers[0].blocks}
    assert list(written) == ["slices_register", "slices_minute", "slices_hour", "slices_unit"]
    assert written["slices_register"][1] == [FIRST._asdict() | common | measured]
    minute = {"window_start": NOON_MS // 1000 + 60}
    assert written["slices_minute"][1] == [minute | SECOND._asdict() | common | measured]
    hour = {"window_start": NOON_MS // 1000, "tenant": "zeta"}
    price_class = {"service_tier": "batch", "context_band": 200_000}
    assert written["slices_hour"][1] == [hour | FIRST._asdict() | price_class | common | measured]
    unit = {"unit": "pages"}
    assert written["slices_unit"][1] == [hour | FIRST._asdict() | unit | common | {"quantity": 9}]
    for names, found in written.values():
        assert names == list(found[0])
    assert not drivers[0].inserts


def test_partitions_share_a_block_and_keep_their_own_versions(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    pairs = [(series, tenant) for series in (SECOND, FIRST) for tenant in ("zeta", "acme")]
    keys = [key_of(labels, HOUR, series, tenant) for series, tenant in pairs]
    several = rows(keys, *({"requests": number} for number in (1, 2, 3, 4)))
    single = rows([keys[0]], {"requests": 5, "input_tokens": 2**63 - 1})
    sink.write_rows([snapshot(1, 10, hour=several), snapshot(2, 20), snapshot(3, 30, hour=single)])
    ((table, _, found),) = drivers[0].blocks
    assert table == "slices_hour"
    shown = [
        (row["tenant"], row["model"], row["partition"], row["version"], row["requests"])
        for row in found
    ]
    assert shown == [
        ("zeta", "claude", 1, 10, 1),
        ("acme", "claude", 1, 10, 2),
        ("zeta", "gpt", 1, 10, 3),
        ("acme", "gpt", 1, 10, 4),
        ("zeta", "claude", 3, 30, 5),
    ]
    assert [row["input_tokens"] for row in found] == [0, 0, 0, 0, 2**63 - 1]
    assert "output_tokens" not in found[0], "the table says 0 where a column is missing"


@pytest.mark.parametrize("count", [256, 257, 65_536, 65_537])
def test_as_many_names_as_there_are(
    count: int, labels: Labels, sink: ClickHouseSink, drivers: list[Driver]
) -> None:
    series = [Series("usage", "eu", "p", f"model-{number}") for number in range(count)]
    keys = [key_of(labels, REGISTER, one) for one in series]
    held = SliceRows(np.array(keys), np.ones((count, len(MEASURES)), np.int64))
    sink.write_rows([snapshot(0, 1, register=held)])
    ((_, _, found),) = drivers[0].blocks
    assert [row["model"] for row in found] == [one.model for one in series]


def test_nothing_to_write_is_not_written(sink: ClickHouseSink, drivers: list[Driver]) -> None:
    sink.write_rows([snapshot(0, 5)])
    assert not drivers[0].blocks and not drivers[0].inserts


def test_dead_letters_say_where_they_lay(sink: ClickHouseSink, drivers: list[Driver]) -> None:
    letter = DeadLetter(7, NOON_MS + 5, "too_old", "older than 35 days", b"{\xff", 9000)
    sink.write_rows([snapshot(2, 8, [letter]), snapshot(3, 8)])
    assert drivers[0].inserts == [
        (
            "dead_letters",
            [
                {
                    "log": LOG.name,
                    "partition": 2,
                    "offset": 7,
                    "topic": LOG.topic,
                    "reason": "too_old",
                    "error": "older than 35 days",
                    "payload": b"{\xff",
                    "payload_bytes": 9000,
                    "append_time": NOON.replace(microsecond=5000),
                }
            ],
        )
    ]


def test_an_answer_lost_with_the_connection_is_asked_for_with_an_empty_block(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    one = snapshot(0, 1, register=rows([key_of(labels, REGISTER, FIRST)], TOTALS))
    lost = OperationalError("connection reset")
    drivers[0].refusals = [lost, DatabaseError("Code: 60. no such table", code=60)]
    with pytest.raises(ConfigurationError, match="no such table"):
        sink.write_rows([one])
    assert drivers[0].bodies[0] and drivers[0].bodies[1] == b""
    drivers[0].refusals = [lost, None]
    with pytest.raises(DatabaseUnavailableError, match="connection reset"):
        sink.write_rows([one])


def test_a_checkpoint_is_one_row_a_partition(sink: ClickHouseSink, drivers: list[Driver]) -> None:
    one = Checkpoint(
        *(20, 3),
        received=17,
        accepted=11,
        duplicate=4,
        late=2,
        rejected=(("too_old", 2),),
        newest_event_ms=NOON_MS,
        last_append_ms=NOON_MS + 1,
        last_batch=BatchMark(16, 20, 4_000_000_000, 3),
    )
    sink.write_checkpoints({6: one, 7: replace(one, last_batch=None)})
    expected = {
        **{"log": LOG.name, "partition": 6, "topic": LOG.topic},
        **{"next_offset": 20, "start_offset": 3, "received": 17, "accepted": 11},
        **{"duplicate": 4, "late": 2, "rejected": {"too_old": 2}},
        **{"newest_event": NOON, "last_append": NOON.replace(microsecond=1000)},
        **{"last_batch_offset": 16, "last_batch_crc": 4_000_000_000},
    }
    without = {**expected, "partition": 7, "last_batch_offset": -1, "last_batch_crc": 0}
    assert drivers[0].inserts == [("checkpoints", [expected, without])]


def test_checkpoints_are_read_as_they_were_written(
    sink: ClickHouseSink, drivers: list[Driver]
) -> None:
    naive = NOON.replace(tzinfo=None)
    row = (
        *(LOG.name, 6, LOG.topic, 20, 3, 17, 11, 4, 2, {"too_old": 2, "invalid_json": 1}),
        *(naive, naive.replace(microsecond=1000), 16, 4_000_000_000),
    )
    other = (LOG.name, 7, *row[2:12], -1, 0)
    drivers[0].answers = [[([row, other],)]]
    one = Checkpoint(
        *(20, 3, 17, 11, 4, 2, (("invalid_json", 1), ("too_old", 2)), NOON_MS, NOON_MS + 1),
        BatchMark(16, 20, 4_000_000_000),
    )
    assert sink.read_checkpoints([6, 7]) == {6: one, 7: replace(one, last_batch=None)}
    assert drivers[0].asked[0][1] == {"log": LOG.name, "partitions": [6, 7]}


def test_offsets_starts_and_rules_by_partition(sink: ClickHouseSink, drivers: list[Driver]) -> None:
    long, short = MeteringRules(), MeteringRules(dedup_horizon_ms=HOUR_MS)
    values = {rules: row_of(rules) for rules in (long, short)}
    drivers[0].answers = [
        [([(0, 5), (1, 9)],)],
        [([(0, 2)],)],
        [([(1, 50, *values[long]), (1, 0, *values[short]), (0, 0, *values[long])],)],
    ]
    assert sink.read_offsets() == {0: 5, 1: 9}
    assert sink.read_starts([0, 1]) == {0: 2}
    books = sink.read_rules([0, 1])
    assert books[0].entries == ((0, long),)
    assert books[1].entries == ((0, short), (50, long))


def block(family: Family, *found: tuple[Any, ...]) -> list[list[Any]]:
    """Columns of an answer: seconds and tenant if the family has them, series, totals, version."""
    marker: list[Any] = [0] if family.window_ms is not None else []
    marker += [""] if family.has_tenant else []
    marker += ["usage", "", "", ""]
    marker += [0 if name == "context_band" else "" for name in family.variety_columns]
    marker += [*[0] * len(family.measures), 0]
    return [list(column) for column in zip(*found, marker, strict=True)]


def test_slices_are_read_with_their_versions(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    stored = (NOON_MS // 1000, "zeta", *SECOND, *PLAIN, *TOTALS.values(), 40)
    series = Series("usage", "eu", "openai", "new")
    new = (NOON_MS // 1000, "new", *series, *BATCH, *TOTALS.values(), 41)
    drivers[0].answers = [[block(HOUR, stored), block(HOUR, new)]]
    found, versions = sink.read_slices(HOUR, 3, HOUR.window_number(NOON_MS))
    keys = [
        key_of(labels, HOUR, SECOND, "zeta"),
        key_of(labels, HOUR, series, "new", variety=BATCH),
    ]
    assert found.keys.tolist() == keys and versions.tolist() == [40, 41]
    assert found.totals.tolist() == [list(TOTALS.values())] * 2
    asked = drivers[0].asked[0][1]
    assert asked == {"log": LOG.name, "partition": 3, "from_time": NOON}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_answer_at_all_is_no_slice_at_all(
    family: Family, sink: ClickHouseSink, drivers: list[Driver]
) -> None:
    drivers[0].answers = [[block(family)], []]
    found, versions = sink.read_slices(family, 0, 0)
    assert len(found) == len(versions) == 0
    with pytest.raises(DatabaseUnavailableError, match="disk is full"):
        sink.read_slices(family, 0, 0)


def test_an_answer_cut_off_before_its_last_row_is_none(
    sink: ClickHouseSink, drivers: list[Driver]
) -> None:
    stored = (*SECOND, *TOTALS.values(), 40)
    columns = [column[:1] for column in block(REGISTER, stored)]
    drivers[0].answers = [[columns], [([],)][:0], []]
    with pytest.raises(DatabaseUnavailableError, match="disk is full"):
        sink.read_slices(REGISTER, 0, 0)
    with pytest.raises(DatabaseUnavailableError, match="disk is full"):
        sink.read_offsets()


def test_a_stored_total_that_is_held_in_no_int64(
    sink: ClickHouseSink, drivers: list[Driver]
) -> None:
    most = TOTALS | {"input_tokens": 2**63 - 1}
    drivers[0].answers = [[block(REGISTER, (*FIRST, *most.values(), 1))]]
    assert sink.read_slices(REGISTER, 0, 0)[0].totals.max() == 2**63 - 1
    beyond = TOTALS | {"input_tokens": 2**63}
    drivers[0].answers = [[block(REGISTER, (*FIRST, *beyond.values(), 1))]]
    with pytest.raises(TotalTooLargeError, match="slices_register"):
        sink.read_slices(REGISTER, 0, 0)


def test_a_look_up_asks_for_the_keys_and_no_more_at_once_than_it_may(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    key = key_of(labels, HOUR, FIRST, "acme", variety=BATCH)
    minutes = [
        key_of(labels, MINUTE, SECOND, at_ms=NOON_MS + number * MINUTE_MS)
        for number in range(LOOK_UP_KEYS_MAX + 1)
    ]
    stored = (NOON_MS // 1000, "acme", *FIRST, *BATCH, *TOTALS.values(), 7)
    drivers[0].answers = [[block(HOUR, stored)]]
    found, versions = sink.look_up("hour", 3, np.array([key]))
    assert found.keys.tolist() == [key] and versions.tolist() == [7]
    assert drivers[0].asked[0][1] == {"log": LOG.name, "partition": 3}
    assert [list(row.values()) for row in drivers[0].keys[0]] == [
        [NOON_MS // 1000, "acme", *FIRST, *BATCH]
    ]
    last = (NOON_MS // 1000 + 60 * LOOK_UP_KEYS_MAX, *SECOND, *TOTALS.values(), 8)
    drivers[0].answers = [[block(MINUTE)], [block(MINUTE, last)]]
    found, versions = sink.look_up("minute", 3, np.array(minutes))
    assert found.keys.tolist() == [minutes[-1]] and versions.tolist() == [8]
    assert list(map(len, drivers[0].keys[1:])) == [LOOK_UP_KEYS_MAX, 1]


def test_two_rows_that_disagree_are_named(sink: ClickHouseSink, drivers: list[Driver]) -> None:
    drivers[0].answers = [[([],)], [([(NOON, *SECOND, 12)],)]]
    assert sink.find_contradiction(MINUTE, 5, MINUTE.window_number(NOON_MS)) is None
    said = sink.find_contradiction(MINUTE, 5, MINUTE.window_number(NOON_MS))
    assert said == (
        f"window_start {NOON}, entry credit, region us, provider anthropic, model claude,"
        " version 12"
    )
    assert drivers[0].asked[0][1] == {"log": LOG.name, "partition": 5, "from_time": NOON}


def test_a_closed_connection_is_recreated(sink: ClickHouseSink, drivers: list[Driver]) -> None:
    sink.close()
    sink.close()
    assert drivers[0].closed == 1
    sink.write_checkpoints({})
    assert len(drivers) == 2 and drivers[1].inserts == [("checkpoints", [])]


def test_who_was_admitted_is_read_as_it_was_written(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    """By names, for another worker numbers series in another order."""
    first, second = labels.series.number(FIRST), labels.series.number(SECOND)
    admitted = [Admission(first, True, 7), Admission(second, False, 9)]
    sink.write_rows([replace(snapshot(3, 10), admissions=admitted), snapshot(4, 10)])
    ((table, stored),) = drivers[0].inserts
    assert table == "admitted_series"
    assert stored == [
        {
            **{"log": LOG.name, "partition": 3, "topic": LOG.topic, **series._asdict()},
            **{"used": used, "offset": offset},
        }
        for series, used, offset in ((FIRST, True, 7), (SECOND, False, 9))
    ]
    rows = [(row["partition"], *SERIES_OF(row), row["used"], row["offset"]) for row in stored]
    other = ClickHouseSink(ClickHouseSettings(), LOG, Labels())
    other._connected()
    drivers[1].answers = [[([*rows, (4, *FIRST, 1, 2)],)]]
    assert other.read_admissions([3, 4, 5]) == {
        3: [Admission(0, True, 7), Admission(1, False, 9)],
        4: [Admission(0, True, 2)],
    }
    assert drivers[1].asked[0][1] == {"log": LOG.name, "partitions": [3, 4, 5]}


def test_adjustments_go_to_their_table(
    sink: ClickHouseSink, labels: Labels, drivers: list[Driver]
) -> None:
    credit = {"entry": "credit", "adjusts": "id-1", "reason": "broke off"}
    told = decode_unchecked(event(7, NOON_MS, 100, **credit))
    one = MeteredEvent(8, NOON_MS, labels.series.number(SECOND), 0, told)
    sink.write_rows([snapshot(2, 9), replace(snapshot(3, 9), adjustments=[one])])
    ((table, stored),) = drivers[0].inserts
    assert table == "adjustments"
    assert [(row["partition"], row["offset"], row["reason"]) for row in stored] == [
        (3, 8, "broke off")
    ]
