"""Which versions are told of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.versions import METADATA_LEVELS, Versions, judge
from services.platform.supported import KAFKA

WELL = Versions({"b:9092": 27}, "25.8.1.1", "3.5.0", {"ingest http://i": "1.0"}, "1.0")


def levels(facts: Versions) -> dict[str, Level]:
    return {one.what: one.level for one in judge(facts)}


def test_what_is_tested_is_well() -> None:
    assert set(levels(WELL).values()) == {Level.OK}
    assert len(levels(WELL)) == 4


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (20, Level.ERROR),
        (21, Level.OK),
        (33, Level.OK),
        (34, Level.WARNING),
        (None, Level.SKIPPED),
    ],
)
def test_a_broker_is_known_by_the_features_that_it_has(level: int | None, told: Level) -> None:
    assert levels(replace(WELL, brokers={"b:9092": level}))["Kafka at b:9092"] is told


def test_both_ends_of_the_supported_range_have_a_level() -> None:
    known = set(METADATA_LEVELS.values())
    assert {KAFKA.oldest, KAFKA.newest} <= known
    assert max(known) == KAFKA.newest, "a newer release is supported: add its levels"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("24.8.1", Level.ERROR),
        ("26.9.2.1", Level.OK),
        ("27.1", Level.WARNING),
        ("head", Level.SKIPPED),
    ],
)
def test_clickhouse_is_held_against_the_range(version: str, told: Level) -> None:
    assert levels(replace(WELL, clickhouse=version))["ClickHouse"] is told


def test_what_does_not_answer_is_not_told_again() -> None:
    assert levels(replace(WELL, clickhouse=None, prometheus=None, brokers={}, services={})) == {}


def test_services_of_another_version_are_named() -> None:
    other = levels(replace(WELL, services={"ingest http://i": "0.9", "exporter http://e": "1.0"}))
    assert other["ingest http://i"] is Level.WARNING
    assert "services" not in other
