"""The schedule: decided by the seed alone, whole, and without faults that exclude each other."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.chaos.catalogue import KINDS, Kind
from tests.chaos.plan import FAULTS_IN_ROUND, Plan, chosen_kinds, draw_plan


def test_the_seed_decides_everything() -> None:
    assert draw_plan(7, 3, KINDS) == draw_plan(7, 3, KINDS)
    assert draw_plan(7, 3, KINDS) != draw_plan(8, 3, KINDS)


def test_a_longer_run_begins_as_a_shorter_one() -> None:
    short, long = draw_plan(7, 3, KINDS), draw_plan(7, 30, KINDS)
    assert long.rounds[: len(short.rounds)] == short.rounds


def test_a_plan_survives_its_log() -> None:
    plan = draw_plan(7, 3, KINDS)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("seed", range(20))
def test_no_two_faults_of_a_round_need_the_same(seed: int) -> None:
    by_name = {kind.name: kind for kind in KINDS}
    for faults in draw_plan(seed, 10, KINDS).rounds:
        taken: Counter[str] = Counter()
        for fault in faults:
            taken.update(by_name[fault.kind].touched(fault.target))
        assert max(taken.values()) == 1


def test_every_kind_comes_as_often_as_its_weight_says() -> None:
    faults = [fault for each in draw_plan(1, 60, KINDS).rounds for fault in each]
    counts = Counter(fault.kind for fault in faults)
    for kind in KINDS:
        turns = counts[kind.name] / kind.weight
        assert abs(turns - len(faults) / sum(kind.weight for kind in KINDS)) < 2, kind.name


def test_thirty_minutes_have_faults_enough_and_several_at_once() -> None:
    plan = draw_plan(1, 30, KINDS)
    # A round with its recovery takes 20 s as a rule.
    first = plan.rounds[:90]
    assert sum(len(faults) for faults in first) >= 300
    assert all(len(faults) <= FAULTS_IN_ROUND[1] for faults in plan.rounds)
    overlapping = sum(
        earlier.start_seconds + earlier.seconds > later.start_seconds
        for faults in first
        for earlier, later in zip(faults, faults[1:], strict=False)
    )
    assert overlapping > len(first)


def test_lengths_lie_within_what_the_kind_allows() -> None:
    by_name = {kind.name: kind for kind in KINDS}
    for faults in draw_plan(3, 10, KINDS).rounds:
        assert faults[0].start_seconds == 0
        for fault in faults:
            kind = by_name[fault.kind]
            assert kind.seconds[0] <= fault.seconds <= kind.seconds[1]
            assert fault.target in kind.targets and fault.choice in kind.choices


def test_kinds_are_chosen_by_name_or_family() -> None:
    assert chosen_kinds([]) == KINDS
    assert {kind.name for kind in chosen_kinds(["kill_worker", "clock"])} == {
        *("kill_worker", "worker_clock", "broker_clock")
    }
    with pytest.raises(ValueError, match="'meteor'; there are: process"):
        chosen_kinds(["meteor"])


def test_a_kind_that_excludes_all_others_still_comes() -> None:
    kinds = (
        Kind("alone", "log", ("a",), (1, 2), excludes=frozenset({"b", "c"})),
        Kind("often", "log", ("b", "c"), (1, 2), weight=5),
    )
    counts = Counter(fault.kind for each in draw_plan(1, 10, kinds).rounds for fault in each)
    assert counts["alone"] > 10
