"""What is said of tables and views that are not what the migrations make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.schema import Column, Schema, Table, judge

TABLE = Table(
    "slices",
    "ReplacingMergeTree",
    (Column("log", "String"), Column("version", "UInt64"), Column("at", "DateTime", "DEFAULT 1")),
    sorting_key="log, version",
    partition_key="toMonday(at)",
    ttl="at + toIntervalDay(90)",
    settings=(("fsync_after_insert", "1"),),
)
VIEW = Table("sums", "View", (), select="SELECT sum(version) FROM slices FINAL")
EXPECTED = {"slices": TABLE, "sums": VIEW}
WELL = Schema("wattoken", dict(EXPECTED), EXPECTED, None, None)


def found(table: Table) -> list[str]:
    facts = replace(WELL, found={**EXPECTED, table.name: table})
    return [one.found for one in judge(facts) if one.level is Level.ERROR]


def test_what_is_as_it_should_be_is_one_finding() -> None:
    (finding,) = judge(WELL)
    assert finding.level is Level.OK
    assert finding.found.startswith("2 tables and views")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"engine": "MergeTree"}, "is of engine MergeTree, not ReplacingMergeTree"),
        ({"columns": TABLE.columns[1:]}, "lacks the column log"),
        ({"columns": (*TABLE.columns, Column("x", "UInt8"))}, "has a column x that is not of"),
        (
            {"columns": (*TABLE.columns[:2], Column("at", "DateTime", "DEFAULT 2"))},
            "has the column at as DateTime DEFAULT 2, not DateTime DEFAULT 1",
        ),
        ({"sorting_key": "log"}, "another sorting key"),
        ({"partition_key": ""}, "another partition key"),
        ({"ttl": "at + toIntervalDay(9)"}, "another ttl: …at + toIntervalDay(9)…"),
        ({"settings": ()}, "fsync_after_insert = 0, not 1: a power cut may lose rows"),
    ],
)
def test_a_table_that_was_changed_says_how(change: dict[str, Any], told: str) -> None:
    (text,) = found(replace(TABLE, **change))
    assert told in text


def test_a_view_that_was_changed_says_where() -> None:
    (text,) = found(replace(VIEW, select="SELECT sum(version) FROM slices"))
    assert "another select" in text
    assert "slices FINAL" in text
    assert found(replace(VIEW, select="SELECT  sum(version)\nFROM slices FINAL")) == []


def test_replicated_tables_are_the_same_tables_and_distributed_ones_hold_nothing() -> None:
    assert found(replace(TABLE, engine="ReplicatedReplacingMergeTree")) == []
    bare = Table("slices", "Distributed", TABLE.columns)
    assert found(bare) == []
    assert found(replace(bare, columns=TABLE.columns[1:])) == ["lacks the column log"]


def test_of_a_table_on_a_cluster_the_one_with_the_rows_is_compared_too() -> None:
    spread = Table("slices", "Distributed", TABLE.columns)
    local = replace(TABLE, name="slices_local", engine="ReplicatedReplacingMergeTree")
    cluster = {**EXPECTED, "slices": spread, "slices_local": local}
    (finding,) = judge(replace(WELL, found=cluster))
    assert finding.level is Level.OK
    (finding,) = judge(replace(WELL, found={**cluster, "slices_local": replace(local, ttl="a")}))
    assert (finding.level, finding.what) == (Level.ERROR, "table slices_local")


def test_a_missing_table_is_an_error_and_one_more_a_warning() -> None:
    lacking = {name: table for name, table in EXPECTED.items() if name != "sums"}
    (finding,) = judge(replace(WELL, found=lacking))
    assert (finding.level, finding.what) == (Level.ERROR, "table sums")
    (finding,) = judge(replace(WELL, found={**EXPECTED, "mine": replace(TABLE, name="mine")}))
    assert finding.level is Level.WARNING
    assert "mine" in finding.found


def test_a_table_that_is_being_replaced_is_no_news() -> None:
    staging = "models__staging_ab12"
    (finding,) = judge(replace(WELL, found={**EXPECTED, staging: replace(TABLE, name=staging)}))
    assert finding.level is Level.OK


def test_of_another_schema_only_that_is_said() -> None:
    (finding,) = judge(replace(WELL, found={}, behind="is older: run `wattoken migrate`"))
    assert finding.level is Level.ERROR
    (finding,) = judge(replace(WELL, found={}, ahead="is newer"))
    assert finding.level is Level.WARNING
