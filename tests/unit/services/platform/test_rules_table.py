"""What `migrate` stores of metering rules: for whom, and from which offset on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from schemas.metering_rules import DAY_MS, RULE_NAMES, MeteringRules, row_of
from services.platform.kafka_log import Log
from services.platform.rules_table import ensure_rules, ensure_thresholds, with_thresholds

LOG = Log("cluster", "topic-id", "usage", 3)
WITHOUT = MeteringRules(context_thresholds=())
LONGER = replace(WITHOUT, dedup_horizon_ms=2 * DAY_MS)
BANDS = (1000, 2000)


class Database:
    """A client that answers with some rows, and keeps what is inserted."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows
        self.inserted: list[tuple[str, list[Any], list[str]]] = []

    def query(self, _text: str, _parameters: Any) -> Any:
        return SimpleNamespace(result_rows=[(self.rows,)])

    def insert(
        self, table: str, rows: list[Any], column_names: list[str], settings: dict[str, Any]
    ) -> None:
        assert settings == {"distributed_foreground_insert": 1}
        self.inserted.append((table, rows, column_names))


def test_rules_are_written_from_the_first_offset_where_there_are_none() -> None:
    database: Any = Database([(0,), (2,)])
    ensure_rules(database, LOG, MeteringRules(), lambda _: None)
    ((table, rows, columns),) = database.inserted
    assert table == "metering_rules"
    (row,) = rows
    assert dict(zip(columns, row, strict=True)) == {
        "log": "cluster/topic-id",
        "partition": 1,
        "from_offset": 0,
        **dict(zip(RULE_NAMES, row_of(MeteringRules()), strict=True)),
    }
    database = Database([(0,), (1,), (2,), (7,)])
    ensure_rules(database, LOG, MeteringRules(), lambda _: None)
    assert database.inserted == []


def stored(*entries: tuple[int, int, MeteringRules]) -> Database:
    return Database([(partition, offset, *row_of(rules)) for partition, offset, rules in entries])


def give_thresholds(database: Any, ends: dict[int, int]) -> list[str]:
    lines: list[str] = []
    rules = MeteringRules(too_old_ms=1, context_thresholds=BANDS)
    ensure_thresholds(database, LOG, rules, lambda: ends, lines.append)
    return lines


def test_partitions_without_thresholds_get_them_from_their_end_on() -> None:
    database = stored((0, 0, WITHOUT), (0, 50, LONGER), (1, 0, MeteringRules()), (2, 0, WITHOUT))
    (line,) = give_thresholds(database, {0: 70, 1: 90, 2: 0})
    assert "context bands from the ends of 2 partitions on" in line
    ((_, rows, columns),) = database.inserted
    assert columns[:3] == ["log", "partition", "from_offset"]
    assert rows == [
        [LOG.name, 0, 70, *row_of(replace(LONGER, context_thresholds=BANDS))],
        [LOG.name, 2, 0, *row_of(replace(WITHOUT, context_thresholds=BANDS))],
    ]


def test_who_ever_had_thresholds_keeps_what_there_is() -> None:
    # Also one that was given none on purpose, after it had some.
    database = stored(
        (0, 0, MeteringRules()), (0, 9, WITHOUT), (1, 0, MeteringRules()), (2, 0, MeteringRules())
    )
    lines: list[str] = []

    def ends() -> dict[int, int]:
        raise AssertionError("nobody needs to know")

    ensure_thresholds(database, LOG, MeteringRules(), ends, lines.append)
    assert (lines, database.inserted) == ([], [])


def test_a_partition_added_to_the_topic_is_none_of_the_logs() -> None:
    database = stored((3, 0, WITHOUT))
    assert give_thresholds(database, {}) == []
    assert database.inserted == []


def test_rules_planned_for_later_get_them_too() -> None:
    entries = [(0, WITHOUT), (50, LONGER)]
    banded = [replace(one, context_thresholds=BANDS) for one in (WITHOUT, LONGER)]
    assert with_thresholds(entries, 20, BANDS) == [(20, banded[0]), (50, banded[1])]
    assert with_thresholds(entries, 50, BANDS) == [(50, banded[1])]
    assert with_thresholds([(5, WITHOUT)], 3, BANDS) == [(5, banded[0])]
