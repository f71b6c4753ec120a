"""The oracle: exact when nothing is wrong, and each planted wrong is found and named by its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chaos.contributions import COLUMNS_OF, VIEWS
from tests.chaos.events import DAY_MS, Nature, event_of, log_record, whole
from tests.chaos.ledger import ABORTED, ACKNOWLEDGED, REFUSED, UNKNOWN, EventName, Ledger
from tests.chaos.oracle import Difference, Found, Recount, judge, verdict

NOW_MS = 1_795_000_000_000
LOG = "cluster/topic"
EVENTS = 400
SEED = 5


class Meter:
    """A meter that counts right, whose views a test can then spoil."""

    def __init__(self) -> None:
        self.ledger = Ledger(1)
        self.recount = Recount()
        self._offsets = [0, 0]
        for _ in range(EVENTS):
            self.send(ACKNOWLEDGED)

    def begin(self) -> EventName:
        event = event_of(SEED, 0, self.ledger.next_number(0))
        refusable = event.nature is not Nature.METERED
        return self.ledger.begin(0, NOW_MS - event.age_ms, refusable=refusable)

    def send(self, fate: int) -> EventName:
        """Send one new event, which reaches the log."""
        name = self.begin()
        self.ledger.note(name, fate)
        self.append(name)
        return name

    def append(self, name: EventName) -> None:
        partition = name.number % 2
        event = event_of(SEED, *name)
        record = log_record(event, self.ledger.time_ms(name))
        self.recount.add((LOG, partition), self._offsets[partition], NOW_MS, record)
        self._offsets[partition] += 1

    def found(self) -> Found:
        checkpoints: dict[tuple[str, int], dict[str, Any]] = {
            place: {
                **{n: getattr(count, n) for n in ("received", "accepted", "duplicate", "late")},
                "next_offset": count.next_offset,
                "rejected": dict(count.rejected),
            }
            for place, count in self.recount.partitions.items()
        }
        rows = {view: self.recount.rows(view) for view in VIEWS}
        return Found(rows, checkpoints, dict(self.recount.dead_letters))


@pytest.fixture
def meter() -> Meter:
    return Meter()


def named(differences: tuple[Difference, ...]) -> set[tuple[str, str]]:
    return {(difference.where, difference.column) for difference in differences}


def test_nothing_wrong_is_exact(meter: Meter) -> None:
    meter.append(EventName(0, 0))
    judged = verdict(meter.recount, meter.ledger, meter.found())
    assert judged.exact and judged.differences == ()
    assert judged.events_acknowledged == EVENTS
    assert judged.records == EVENTS + 1
    assert judged.duplicates == 1
    assert judged.rejected > 0 and judged.rows_compared > 20


@pytest.mark.parametrize("view", ["registers", "usage_minute", "usage_hour"])
@pytest.mark.parametrize(("change", "lost", "doubled"), [(-1, 1, 0), (1, 0, 1)])
def test_an_event_dropped_from_or_doubled_in_a_view(
    meter: Meter, view: str, change: int, lost: int, doubled: int
) -> None:
    found = meter.found()
    key, row = max(found.rows[view].items(), key=lambda item: item[1][0])
    found.rows[view][key] = (row[0] + change, row[1], row[2] + 17 * change, *row[3:])
    judged = verdict(meter.recount, meter.ledger, found)
    assert (judged.lost, judged.double_counted, judged.exact) == (lost, doubled, False)
    assert [str(difference) for difference in judged.differences] == [
        f"{view} [{', '.join(map(str, key))}] requests: must be {row[0]}, is {row[0] + change}",
        f"{view} [{', '.join(map(str, key))}] input_tokens: must be {row[2]},"
        f" is {row[2] + 17 * change}",
    ]


@pytest.mark.parametrize("view", ["usage_hour_entries", "usage_unit_hours"])
def test_a_change_of_one_in_what_prices_go_by(meter: Meter, view: str) -> None:
    for place, name in enumerate(COLUMNS_OF[view]):
        found = meter.found()
        key, row = max(found.rows[view].items(), key=lambda item: item[1][place])
        found.rows[view][key] = (*row[:place], row[place] + 1, *row[place + 1 :])
        judged = verdict(meter.recount, meter.ledger, found)
        assert [(one.where, one.key, one.column) for one in judged.differences] == [
            (view, key, name)
        ]
        assert judged.double_counted == (name == "requests")


@pytest.mark.parametrize(("part", "other"), [(-1, 1), (-2, "none")])
def test_a_row_in_another_class_is_found(meter: Meter, part: int, other: object) -> None:
    found = meter.found()
    rows = found.rows["usage_hour_entries"]
    key = min(rows)
    moved = list(key)
    moved[part] = other
    rows[tuple(moved)] = rows.pop(key)
    judged = verdict(meter.recount, meter.ledger, found)
    assert {one.key for one in judged.differences} == {key, tuple(moved)}


def test_one_lost_and_one_doubled_do_not_cancel(meter: Meter) -> None:
    found = meter.found()
    one, other, *_ = sorted(found.rows["registers"])
    rows = found.rows["registers"]
    rows[one] = (rows[one][0] + 1, *rows[one][1:])
    rows[other] = (rows[other][0] - 1, *rows[other][1:])
    judged = verdict(meter.recount, meter.ledger, found)
    assert (judged.lost, judged.double_counted) == (1, 1)


def test_a_row_that_is_missing_or_should_not_be(meter: Meter) -> None:
    found = meter.found()
    rows = found.rows["usage_hour"]
    key = min(rows)
    gone = rows.pop(key)
    rows[(0, "nobody", "nowhere", "none", "none")] = (2,) + (0,) * 9
    judged = verdict(meter.recount, meter.ledger, found)
    assert (judged.lost, judged.double_counted) == (gone[0], 2)


def test_an_acknowledged_event_that_is_not_on_the_log_is_lost(meter: Meter) -> None:
    name = meter.begin()
    while event_of(SEED, *name).nature is not Nature.METERED:
        name = meter.begin()
    meter.ledger.note(name, ACKNOWLEDGED)
    judged = verdict(meter.recount, meter.ledger, meter.found())
    assert judged.lost == 1
    assert named(judged.differences) == {("log", "acknowledged")}


def test_an_event_without_a_clear_answer_counts_once_or_not_at_all(meter: Meter) -> None:
    meter.send(UNKNOWN)
    meter.ledger.note(meter.begin(), UNKNOWN)
    assert verdict(meter.recount, meter.ledger, meter.found()).exact


@pytest.mark.parametrize("fate", [ABORTED, REFUSED, 0])
def test_an_event_that_was_never_taken_must_not_be_there(meter: Meter, fate: int) -> None:
    name = meter.send(fate)
    while event_of(SEED, *name).nature is not Nature.METERED:
        name = meter.send(fate)
    judged = verdict(meter.recount, meter.ledger, meter.found())
    assert named(judged.differences) == {("log", "never taken")}
    # While answers are still to come, nothing can be said about it.
    assert verdict(meter.recount, meter.ledger, meter.found(), settled=False).exact


def test_an_aborted_event_that_was_sent_again_counts(meter: Meter) -> None:
    name = meter.send(ABORTED)
    meter.ledger.note(name, ACKNOWLEDGED)
    assert verdict(meter.recount, meter.ledger, meter.found()).exact


def test_a_stranger_on_the_log(meter: Meter) -> None:
    fields = whole(event_of(SEED, 0, 1), NOW_MS)
    strange = json.dumps({**fields, "id": "evt-77-000000000001"}).encode()
    meter.recount.add((LOG, 0), 10_000, NOW_MS, strange)
    judged = verdict(meter.recount, meter.ledger, meter.found())
    assert ("log", "stranger") in named(judged.differences)


def spoil_duplicate(checkpoint: dict[str, Any]) -> None:
    checkpoint["duplicate"] += 1


def spoil_reason(checkpoint: dict[str, Any]) -> None:
    checkpoint["rejected"]["too_new"] = checkpoint["rejected"].get("too_new", 0) + 1


def spoil_offset(checkpoint: dict[str, Any]) -> None:
    checkpoint["next_offset"] -= 1


def spoil_accepted(checkpoint: dict[str, Any]) -> None:
    checkpoint["accepted"] -= 1


def spoil_late(checkpoint: dict[str, Any]) -> None:
    checkpoint["late"] += 1


@pytest.mark.parametrize(
    ("spoil", "columns"),
    [
        (spoil_duplicate, {"duplicate", "accepted + duplicate + rejected"}),
        (spoil_reason, {"rejected too_new", "accepted + duplicate + rejected"}),
        (spoil_offset, {"next_offset"}),
        (spoil_accepted, {"accepted", "accepted + duplicate + rejected"}),
        (spoil_late, {"late"}),
    ],
)
def test_a_checkpoint_that_says_something_else(
    meter: Meter, spoil: Callable[[dict[str, Any]], None], columns: set[str]
) -> None:
    found = meter.found()
    spoil(found.checkpoints[LOG, 1])  # type: ignore[arg-type]
    judged = verdict(meter.recount, meter.ledger, found)
    assert {d.column for d in judged.differences} == columns
    assert {d.key for d in judged.differences} == {(LOG, 1)}


def test_a_partition_without_a_checkpoint(meter: Meter) -> None:
    found = meter.found()
    del found.checkpoints[LOG, 0]  # type: ignore[attr-defined]
    judged = verdict(meter.recount, meter.ledger, found)
    assert judged.lost == meter.recount.partitions[LOG, 0].accepted


def test_dead_letters_are_compared_one_by_one(meter: Meter) -> None:
    found = meter.found()
    letters: dict[Any, str] = found.dead_letters  # type: ignore[assignment]
    first, second, *_ = sorted(letters)
    del letters[first]
    letters[second] = "else"
    letters[LOG, 9, 9] = "too_old"
    judged = verdict(meter.recount, meter.ledger, found)
    assert {d.key for d in judged.differences} == {first, second, (LOG, 9, 9)}


def natures() -> Iterator[tuple[Nature, bytes]]:
    for number in range(3000):
        event = event_of(SEED, 0, number)
        yield event.nature, log_record(event, NOW_MS - event.age_ms)


def test_the_log_is_judged_as_the_events_are_meant() -> None:
    expected = {
        Nature.METERED: {""},
        Nature.TOO_OLD: {"too_old"},
        Nature.TOO_NEW: {"too_new"},
        Nature.POISON: {"invalid_json", "invalid_event"},
    }
    seen: dict[Nature, set[str]] = {nature: set() for nature in Nature}
    for nature, record in natures():
        seen[nature].add(judge(record, NOW_MS, NOW_MS)[1])
    assert seen == expected


def test_a_clock_a_day_ahead_changes_no_judgement() -> None:
    for _, record in natures():
        assert judge(record, NOW_MS, NOW_MS)[1] == judge(record, NOW_MS, NOW_MS + DAY_MS)[1]


def test_log_time_never_runs_backwards() -> None:
    recount = Recount()
    event = next(
        event_of(SEED, 0, n) for n in range(99) if event_of(SEED, 0, n).nature is Nature.METERED
    )
    recount.add((LOG, 0), 0, NOW_MS + DAY_MS, b"")
    # A day behind now, this event would be refused as too new.
    recount.add((LOG, 0), 1, NOW_MS - DAY_MS, log_record(event, NOW_MS))
    count = recount.partitions[LOG, 0]
    assert (count.accepted, count.late) == (1, 0)
