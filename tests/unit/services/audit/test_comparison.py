"""Rows, counts, letters and sightings against the recount."""

from __future__ import annotations

from services.audit.comparison import (
    Expected,
    Sightings,
    StoredFamily,
    checkpoint_differences,
    letter_differences,
    row_differences,
)
from services.audit.event import MEASURES
from services.audit.recount import Counts, SliceKey
from services.audit.report import difference_line
from services.audit.stored_rows import FAMILIES, Checkpoint, StoredSlice, ViewKey, view_key

HOUR, UNIT = FAMILIES[2:]
USED = SliceKey("hour", 3600, "acme", "usage", "eu", "p", "m")
ROW = ViewKey("usage_hour", 3600, "acme", "eu", "p", "m")
TOTALS = (1, 0, 7, 0, 0, 3, 0, 0, *[0] * 8)
SHOWN = (*TOTALS[:8], 0, 0)
TWICE = tuple(2 * amount for amount in SHOWN)


def both() -> tuple[StoredFamily, Expected]:
    """Two partitions with one event each, in table, view and recount."""
    slices = {USED: {number: StoredSlice(number, 9, TOTALS) for number in (0, 1)}}
    stored = StoredFamily(HOUR, slices, {}, {ROW: TWICE})
    return stored, Expected({USED: {0: TOTALS, 1: TOTALS}})


def test_what_agrees_is_silent() -> None:
    stored, expected = both()
    assert list(row_differences(stored, expected, "log")) == []
    assert stored.keys == {ROW}


def test_a_view_that_shows_something_else() -> None:
    stored, expected = both()
    stored.view[ROW] = (3, *TWICE[1:])
    (one,) = row_differences(stored, expected, "log")
    assert (one.check, one.view, one.window, one.tenant) == (
        "views = log",
        "usage_hour",
        3600,
        "acme",
    )
    assert (one.measure, one.expected, one.found) == ("requests", 2, 3)
    assert difference_line(one) == (
        "views = log: usage_hour · 1970-01-01T01:00:00Z · eu · p · m · acme:"
        " requests must be 2 and is 3"
    )


def test_a_row_that_is_missing_and_one_too_many() -> None:
    stored, expected = both()
    stored.view, stored.slices = {}, {}
    assert {one.measure for one in row_differences(stored, expected, "log")} == {
        "requests",
        "input_tokens",
        "output_tokens",
    }
    stored, expected = both()
    assert len(list(row_differences(stored, Expected(), "log"))) == 3


def test_slices_that_make_up_for_each_other() -> None:
    stored, expected = both()
    stored.slices[USED] = {
        0: StoredSlice(0, 9, (2, *TOTALS[1:])),
        1: StoredSlice(1, 9, (0, *TOTALS[1:])),
    }
    found = list(row_differences(stored, expected, "log"))
    assert [(one.check, one.partition, one.expected, one.found) for one in found] == [
        ("slices = log", 0, 1, 2),
        ("slices = log", 1, 1, 0),
    ]


def test_adjustments_are_shown_apart_and_other_logs_are_added() -> None:
    stored, expected = both()
    debit = USED._replace(entry="debit")
    stored.slices[debit] = {0: StoredSlice(0, 9, TOTALS)}
    expected.slices[debit] = {0: TOTALS}
    stored.others[ROW] = (5,) * 10
    stored.view[ROW] = tuple(own + 5 for own in (*TWICE[:8], TOTALS[2] + TOTALS[5], 0))
    assert list(row_differences(stored, expected, "log")) == []


def test_price_classes_are_one_row_of_the_view_and_slices_of_their_own() -> None:
    stored, expected = both()
    batch = USED._replace(service_tier="batch", context_band=200_000)
    audio = MEASURES.index("audio_input_tokens")
    told = (*TOTALS[:audio], 5, *TOTALS[audio + 1 :])
    stored.slices[batch], expected.slices[batch] = {0: StoredSlice(0, 9, told)}, {0: told}
    stored.view[ROW] = tuple(3 * amount for amount in SHOWN)
    assert list(row_differences(stored, expected, "log")) == []
    expected.slices[batch] = {0: TOTALS}
    (one,) = row_differences(stored, expected, "log")
    assert difference_line(one) == (
        "slices = log: slices_hour · 1970-01-01T01:00:00Z · eu · p · m · acme · usage ·"
        " batch above 200000; partition 0: audio_input_tokens must be 0 and is 5"
    )


def test_units_are_compared_by_entry_and_unit() -> None:
    keys = [
        SliceKey("unit", 3600, "acme", entry, "eu", "p", "m", unit="pages")
        for entry in ("usage", "credit")
    ]
    rows = [view_key(UNIT, key) for key in keys]
    slices = {key: {0: StoredSlice(0, 9, (4,))} for key in keys}
    stored = StoredFamily(UNIT, slices, {rows[0]: (10,)}, {rows[0]: (14,), rows[1]: (4,)})
    expected = Expected({key: {0: (4,)} for key in keys})
    assert list(row_differences(stored, expected, "log")) == []
    stored.view[rows[1]] = (5,)
    (one,) = row_differences(stored, expected, "log")
    assert (one.view, one.measure, one.expected, one.found) == (
        "usage_unit_hours",
        "quantity",
        4,
        5,
    )
    assert (one.entry, one.variety) == ("credit", "pages")


def test_of_a_row_that_moved_only_the_slices_are_compared() -> None:
    stored, expected = both()
    stored.moving = {ROW}
    stored.view = {}
    assert list(row_differences(stored, expected, "log")) == []
    stored.slices[USED][1] = StoredSlice(1, 12, HOUR.nothing)
    assert {one.measure for one in row_differences(stored, expected, "log")} == {
        "requests",
        "input_tokens",
        "output_tokens",
    }


def test_checkpoints_and_letters() -> None:
    rejected = {"invalid_json": 1, "invalid_event": 2}
    one = Checkpoint("log", 3, "t", 9, 0, 9, 5, 1, 0, rejected, 70, 80)
    counts = Counts(9, 5, 1, 0, {"invalid": 3}, 70, 80)
    assert list(checkpoint_differences(one, counts)) == []
    counts.rejected = {"invalid": 2, "too_old": 1}
    found = {d.measure: (d.expected, d.found) for d in checkpoint_differences(one, counts)}
    assert found == {"rejected invalid": (2, 3), "rejected too_old": (1, 0)}
    expected, stored = {4: "invalid", 5: "too_old"}, {4: "invalid_json", 6: "too_new"}
    letters = list(letter_differences("log", 3, expected, stored))
    assert [(d.offset, d.expected, d.found) for d in letters] == [(5, 1, 0), (6, 0, 1)]


def test_an_event_in_two_partitions() -> None:
    seen = Sightings()
    for partition, places in enumerate(
        ([(b"a", 0, 10), (b"b", 1, 20)], [(b"b", 7, 25), (b"c", 8, 30)])
    ):
        seen.begin(partition)
        for digest, offset, log_ms in places:
            seen.add(digest * 16, offset, log_ms)
    (one,) = seen.doubled("log", horizon_ms=6)
    assert (one.partition, one.offset) == (1, 7)
    assert "partition 0, offset 1" in one.detail
    assert list(seen.doubled("log", horizon_ms=5)) == []
