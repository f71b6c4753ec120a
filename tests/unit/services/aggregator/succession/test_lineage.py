"""A log's place in its chain, and what a topic that was recreated or grew makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.aggregator.errors import LogReplacedError, PartitionsChangedError
from services.aggregator.succession.lineage import Lineage, check_partitions, lineage_of
from services.platform.kafka_log import Log
from services.platform.succession import Stretch, Succession

GROUP = "meter"


def log(topic: str, *, topic_id: str = "", partitions: int = 2) -> Log:
    return Log("c", topic_id or topic, topic, partitions)


def step(predecessor: str, successor: str) -> Succession:
    ends = (Stretch(0, 10), Stretch(4, 20))
    return Succession(f"c/{successor}", successor, 3, f"c/{predecessor}", predecessor, ends)


CHAIN = [step("a", "b"), step("b", "c")]


def test_the_first_of_a_chain() -> None:
    assert lineage_of(CHAIN, log("a"), GROUP) == Lineage(log("a"), "meter", (), CHAIN[0])


def test_one_in_the_middle() -> None:
    assert lineage_of(CHAIN, log("b"), GROUP) == Lineage(log("b"), "meter.b", (CHAIN[0],), CHAIN[1])


def test_the_last() -> None:
    assert lineage_of(CHAIN, log("c"), GROUP) == Lineage(log("c"), "meter.c", tuple(CHAIN), None)


def test_one_without_a_chain() -> None:
    assert lineage_of([], log("z"), GROUP) == Lineage(log("z"), "meter", (), None)


def test_the_last_recreated_follows_nobody() -> None:
    anew = log("c", topic_id="c2")
    assert lineage_of(CHAIN, anew, GROUP) == Lineage(anew, "meter", (), None)


@pytest.mark.parametrize("topic", ["a", "b"])
def test_one_recreated_before_it_was_metered_is_a_loss(topic: str) -> None:
    with pytest.raises(LogReplacedError, match=f"it was log c/{topic} and is c/new"):
        lineage_of(CHAIN, log(topic, topic_id="new"), GROUP)


def test_a_log_that_ended_is_metered_up_to_there() -> None:
    assert lineage_of(CHAIN, log("a"), GROUP).ends == {0: 10, 1: 20}
    assert lineage_of(CHAIN, log("c"), GROUP).ends == {}


def test_partitions_added_after_the_end_do_not_count() -> None:
    assert lineage_of(CHAIN, log("a", partitions=5), GROUP).partitions == 2
    assert lineage_of(CHAIN, log("c", partitions=5), GROUP).partitions == 5


def test_partitions_added_under_the_meter_stop_it() -> None:
    with pytest.raises(PartitionsChangedError, match="--partitions 3"):
        check_partitions(log("a"), 3)
    check_partitions(log("a"), 2)


def test_partitions_added_to_a_log_that_has_ended_change_nothing() -> None:
    ended = lineage_of(CHAIN, log("a"), GROUP)
    check_partitions(log("a"), 3, ended)
    with pytest.raises(PartitionsChangedError):
        check_partitions(log("a"), 3, replace(ended, successor=None))
