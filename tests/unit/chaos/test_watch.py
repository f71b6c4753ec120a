"""What must hold all the time: falls of counters are seen, absences are none."""

from __future__ import annotations

from tests.chaos.oracle import Difference, Verdict
from tests.chaos.progress import Recovery
from tests.chaos.report import Result
from tests.chaos.watch import Counters, samples

TEXT = """\
# HELP wattoken_requests_total Requests.
# TYPE wattoken_requests_total counter
wattoken_requests_total{region="eu"} 10.0
wattoken_requests_total{region="us"} 5.0
# HELP wattoken_up Whether ClickHouse answers.
# TYPE wattoken_up gauge
wattoken_up 1.0
"""


def test_only_counters_are_taken() -> None:
    assert dict(samples(TEXT)) == {
        'wattoken_requests_total{region="eu"}': 10.0,
        'wattoken_requests_total{region="us"}': 5.0,
    }


def test_a_fall_is_seen_even_after_an_absence() -> None:
    counters = Counters()
    counters.look(TEXT)
    counters.look("")
    counters.look(TEXT.replace("10.0", "11.0"))
    assert counters.falls == []
    counters.look(TEXT, "2 s:")
    assert counters.falls == ['2 s: wattoken_requests_total{region="eu"} fell from 11 to 10']


def test_a_recovery_is_as_long_as_its_slowest_partition() -> None:
    recovery = Recovery(since=100.0)
    a, b = ("log", 0), ("log", 1)
    assert not recovery.done and recovery.seconds(103.0) == 3.0
    recovery.look(101.0, {a: 5, b: 5}, [a, b])
    recovery.look(102.0, {a: 6, b: 5}, [a, b])
    assert recovery.pending == [b] and recovery.seconds(109.0) == 9.0
    recovery.look(104.0, {a: 7, b: 6}, [a, b])
    assert recovery.done and recovery.seconds(200.0) == 4.0


def verdict_of(*differences: Difference, lost: int = 0) -> Verdict:
    return Verdict(10, 11, 1, 0, lost, 0, 30, differences)


def test_a_run_passes_only_if_nothing_is_wrong() -> None:
    good = Result(1, verdict=verdict_of())
    assert good.problems() == [] and good.to_json()["passed"]
    wrong = [
        Result(1),
        Result(1, verdict=verdict_of(lost=1)),
        Result(1, verdict=verdict_of(Difference("registers", ("eu",), "requests", 1, 2))),
        Result(1, verdict=verdict_of(), max_recovery_seconds=31.0),
        Result(1, verdict=verdict_of(), peak_mb={"worker-1": 900.0}),
        Result(1, verdict=verdict_of(), counters_fallen=["a"]),
        Result(1, verdict=verdict_of(), checkpoints_fallen=["a"]),
        Result(1, verdict=verdict_of(), complaints=["a"]),
    ]
    for result in wrong:
        assert len(result.problems()) == 1 and not result.to_json()["passed"]
    # Neither broker nor database are the meter.
    assert Result(1, verdict=verdict_of(), peak_mb={"clickhouse": 900.0}).problems() == []


def test_the_result_has_the_promised_names() -> None:
    assert {
        *("seed", "faults", "events_acknowledged", "lost", "double_counted"),
        *("max_recovery_seconds", "exact", "minutes"),
    } <= Result(1).to_json().keys()
