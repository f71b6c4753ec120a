"""What is said of a topic's replicas and settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.operate.doctor.finding import Level
from services.operate.doctor.judging.topics import Replicas, Topic, judge

CONFIG = {
    "message.timestamp.type": "LogAppendTime",
    "cleanup.policy": "delete",
    "min.insync.replicas": "2",
    "compression.type": "producer",
    "max.message.bytes": "1048588",
    "retention.ms": "604800000",
    "unclean.leader.election.enable": "false",
}
WELL = Topic(
    "events", "usage", tuple(Replicas(number, 1, 3, 3) for number in range(4)), CONFIG, brokers=3
)


def said(topic: Topic) -> list[tuple[Level, str]]:
    return [(one.level, f"{one.found} -> {one.remedy}") for one in judge((topic,))]


def test_a_topic_that_is_well_is_one_finding() -> None:
    assert said(WELL) == [(Level.OK, "4 partitions, 3 replicas, all in sync -> ")]


def test_one_that_is_not_there_wants_migrate() -> None:
    ((level, text),) = said(replace(WELL, partitions=()))
    assert level is Level.ERROR
    assert text.endswith("-> run `wattoken migrate`")


@pytest.mark.parametrize(
    ("name", "value", "level", "told"),
    [
        ("message.timestamp.type", "CreateTime", Level.ERROR, "timestamp.type=LogAppendTime"),
        ("cleanup.policy", "compact,delete", Level.ERROR, "cleanup.policy=delete"),
        ("max.message.bytes", "1000000", Level.ERROR, "max.message.bytes=1048588"),
        ("min.insync.replicas", "4", Level.ERROR, "it takes nothing"),
        ("min.insync.replicas", "3", Level.WARNING, "min.insync.replicas=2"),
        ("min.insync.replicas", "1", Level.WARNING, "min.insync.replicas=2"),
        ("compression.type", "zstd", Level.WARNING, "compression.type=producer"),
        ("unclean.leader.election.enable", "true", Level.WARNING, "acknowledged events may be"),
    ],
)
def test_a_setting_that_is_wrong_says_the_command(
    name: str, value: str, level: Level, told: str
) -> None:
    found = said(replace(WELL, config={**CONFIG, name: value}))
    # With as many as all, or more, none may be away: that is said too.
    assert (level, told) in [(one, told) for one, text in found if told in text], found
    assert all(one is not Level.OK for one, _ in found)


def test_successions_are_kept_for_ever_and_have_times_of_their_writers() -> None:
    kept = {**CONFIG, "retention.ms": "-1", "message.timestamp.type": "CreateTime"}
    assert said(replace(WELL, role="successions", config=kept))[0][0] is Level.OK
    ((level, text),) = said(replace(WELL, role="successions", config={**kept, "retention.ms": "9"}))
    assert level is Level.ERROR
    assert "retention.ms=-1" in text


@pytest.mark.parametrize(
    ("replicas", "level", "told"),
    [
        (Replicas(7, None, 3, 0), Level.ERROR, "partitions 7 have no leader"),
        (Replicas(7, 1, 3, 1), Level.ERROR, "fewer than 2 replicas in sync"),
        (Replicas(7, 1, 3, 2), Level.WARNING, "partitions 7 have replicas that are not in sync"),
    ],
)
def test_partitions_that_lack_brokers_are_named(
    replicas: Replicas, level: Level, told: str
) -> None:
    ((found, text),) = said(replace(WELL, partitions=(*WELL.partitions, replicas)))
    assert found is level
    assert told in text


def test_many_partitions_are_not_all_listed() -> None:
    lost = tuple(Replicas(number, None, 3, 0) for number in range(40))
    assert "0, 1, 2, 3, 4 and 35 more" in said(replace(WELL, partitions=lost))[0][1]


def test_one_copy_is_what_one_broker_can_have_and_less_than_several_can() -> None:
    single = tuple(Replicas(number, 1, 1, 1) for number in range(2))
    config = {**CONFIG, "min.insync.replicas": "1"}
    alone = replace(WELL, partitions=single, config=config, brokers=1)
    assert said(alone) == [(Level.OK, "2 partitions, 1 replica, all in sync -> ")]
    ((level, text),) = said(replace(alone, brokers=3))
    assert level is Level.WARNING
    assert "1 replica on 3 brokers" in text
