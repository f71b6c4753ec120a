"""What the meter must show, against totals computed by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas import price_class
from schemas.measures import MEASURES
from services.simulator.expected import (
    CLOSE_COLUMNS,
    REGISTERS,
    UNITS,
    USAGE_HOUR,
    USAGE_HOUR_ENTRIES,
    USAGE_MINUTE,
    USAGE_UNIT_HOURS,
    VIEWS,
    Bounds,
    LedgerTotals,
    Rows,
    shapes,
)
from services.simulator.ledger import POISON_TAKEN, Answer, Ledger, Outcome, Run
from services.simulator.reading import INVALID_JSON, METERED, TOO_OLD, Reading
from services.simulator.totals import expected_rows, ledger_totals, prepare

#: 2026-03-15 12:00:00 UTC.
NOON_MS = 1_773_576_000_000
NOON = NOON_MS // 1000
LATE = Bounds(300_000, 300_000)
SERIES = ("eu", "openai", "luna")


def reading(number: int, time_ms: int = NOON_MS, **fields: object) -> Reading:
    usual = Reading(METERED, "acme", "gw", f"e{number}", time_ms, *SERIES, 100, 10)
    return usual._replace(**fields)  # type: ignore[arg-type]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger(":memory:") as opened:
        yield opened


@pytest.fixture
def run(ledger: Ledger) -> Run:
    return ledger.begin("run", NOON_MS)


def sent(ledger: Ledger, run: Run, item: Reading, *outcomes: Outcome, after_ms: int = 10) -> None:
    number = int(item.id[1:])
    ledger.record(run, [(number, item)])
    at_ms = NOON_MS + after_ms
    ledger.answered(run, [Answer(number, outcome, at_ms, at_ms + 5) for outcome in outcomes])


def rows(ledger: Ledger) -> list[Rows]:
    prepare(ledger)
    return [expected_rows(ledger, shape) for shape in (REGISTERS, USAGE_MINUTE, USAGE_HOUR)]


def totals(ledger: Ledger) -> LedgerTotals:
    prepare(ledger)
    return ledger_totals(ledger, LATE)


ACK, REFUSED = Outcome.ACKNOWLEDGED, Outcome.REFUSED
NOT_TAKEN, UNKNOWN = Outcome.NOT_TAKEN, Outcome.UNKNOWN


def test_totals_of_all_three_views(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1, NOON_MS + 59_999, cache_read_input_tokens=40), ACK)
    sent(ledger, run, reading(2, NOON_MS + 60_000, reasoning_output_tokens=4), ACK)
    sent(ledger, run, reading(3, NOON_MS - 1, tenant="globex", status="error"), ACK)
    sent(ledger, run, reading(4, quality="estimated", cache_write_input_tokens=7), ACK)
    sent(ledger, run, reading(5, entry="debit"), ACK)
    sent(ledger, run, reading(6, entry="credit", input_tokens=1), ACK)
    registers, minutes, hours = rows(ledger)
    #                requests failed input read write output reasoning estimated debit credit
    assert registers == {SERIES: (4, 1, 400, 40, 7, 40, 4, 110, 110, 11)}
    assert minutes == {
        (NOON - 60, *SERIES): (1, 1, 100, 0, 0, 10, 0, 0, 0, 0),
        (NOON, *SERIES): (2, 0, 200, 40, 7, 20, 0, 110, 110, 11),
        (NOON + 60, *SERIES): (1, 0, 100, 0, 0, 10, 4, 0, 0, 0),
    }
    assert hours == {
        (NOON - 3600, "globex", *SERIES): (1, 1, 100, 0, 0, 10, 0, 0, 0, 0),
        (NOON, "acme", *SERIES): (3, 0, 300, 40, 7, 30, 4, 110, 110, 11),
    }


def test_hours_by_class_and_entry(ledger: Ledger, run: Run) -> None:
    told = {"cache_write_input_tokens": 9, "cache_write_5m_input_tokens": 5}
    sent(ledger, run, reading(1, service_tier="batch", **told, audio_input_tokens=3), ACK)
    sent(ledger, run, reading(2, service_tier="batch", cache_write_1h_input_tokens=0), ACK)
    sent(ledger, run, reading(3, input_tokens=200), ACK)
    sent(ledger, run, reading(4, input_tokens=201, image_output_tokens=2), ACK)
    sent(ledger, run, reading(5, input_tokens=301, entry="debit", service_tier="flex"), ACK)
    prepare(ledger)
    hour, none = (NOON, "acme", *SERIES), (0,) * 8
    # requests input read write output reasoning, then what is told closely of caches and kinds
    expected = {
        (*hour, "usage", "batch", 0): (2, 200, 0, 9, 20, 0, 5, 0, 3, 0, 0, 0, 0, 0),
        (*hour, "usage", "", 100): (1, 200, 0, 0, 10, 0, *none),
        (*hour, "usage", "", 200): (1, 201, 0, 0, 10, 0, *none[1:], 2),
        (*hour, "debit", "flex", 300): (1, 301, 0, 0, 10, 0, *none),
    }
    assert expected_rows(ledger, USAGE_HOUR_ENTRIES, (100, 200, 300)) == expected
    bands = expected_rows(ledger, USAGE_HOUR_ENTRIES, ())
    assert {key[-1] for key in bands} == {0}


def test_without_one_rule_of_bands_they_are_added_up(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), ACK)
    sent(ledger, run, reading(2, input_tokens=900), ACK)
    prepare(ledger)
    (shape,) = [one for one in shapes(None) if one.view == "usage_hour_entries"]
    (row,) = expected_rows(ledger, shape, None).items()
    assert row[0] == (NOON, "acme", *SERIES, "usage", "")
    assert row[1][:2] == (2, 1_000)
    assert shapes((1,)) == VIEWS


def test_hours_by_unit(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1, web_searches=2, pages=0), ACK, ACK)
    sent(ledger, run, reading(2, web_searches=3, characters=10**11), ACK)
    sent(ledger, run, reading(3, images=1, entry="credit"), ACK)
    sent(ledger, run, reading(4, images=4, expected=TOO_OLD), ACK)
    prepare(ledger)
    hour = (NOON, "acme", *SERIES)
    assert expected_rows(ledger, USAGE_UNIT_HOURS) == {
        (*hour, "usage", "web_searches"): (5,),
        (*hour, "usage", "characters"): (10**11,),
        (*hour, "credit", "images"): (1,),
    }


def test_every_unit_and_measure_of_the_contract_is_compared() -> None:
    assert UNITS == price_class.UNITS
    shown = {*CLOSE_COLUMNS, "failed_requests", "estimated_tokens"}
    assert shown == set(MEASURES)


def test_a_resend_counts_once_and_as_a_duplicate(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), ACK, ACK, ACK)
    sent(ledger, run, reading(2), ACK)
    ledger.finish(run)
    assert rows(ledger)[0][SERIES][0] == 2
    counted = totals(ledger)
    assert (counted.sent, counted.unique) == (4, 2)
    assert counted.received == Bounds(4, 4)
    assert counted.duplicate == Bounds(2, 2)


def test_the_same_event_in_two_runs_counts_once(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), ACK)
    again = ledger.begin("run", NOON_MS + 999)
    sent(ledger, again, reading(1), ACK)
    ledger.finish(run)
    ledger.finish(again)
    assert rows(ledger)[0][SERIES][0] == 1
    assert totals(ledger).duplicate == Bounds(1, 1)


def test_tenants_and_sources_are_other_identities(ledger: Ledger, run: Run) -> None:
    one = reading(1)
    for number, other in enumerate([one, one._replace(tenant="x"), one._replace(source="x")]):
        ledger.record(run, [(number, other)])
        ledger.answered(run, [Answer(number, ACK, NOON_MS, NOON_MS)])
    assert totals(ledger).unique == 3


def test_refused_and_not_taken_are_not_metered(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), NOT_TAKEN, ACK)
    sent(ledger, run, reading(2, expected=INVALID_JSON), REFUSED)
    ledger.finish(run)
    counted = totals(ledger)
    assert (counted.sent, counted.unique, counted.refused) == (2, 1, 1)
    assert counted.received == Bounds(1, 1)
    assert counted.rejected == {}
    assert (counted.wrongly_refused, counted.wrongly_taken) == (0, 0)


def test_wrong_answers_of_ingest_are_found(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), REFUSED)
    ledger.record(run, [(2, reading(2, expected=INVALID_JSON))])
    ledger.answered(run, [Answer(2, ACK, NOON_MS, NOON_MS, POISON_TAKEN)])
    counted = totals(ledger)
    assert (counted.wrongly_refused, counted.wrongly_taken) == (1, 1)


def test_rejected_by_reason_each_copy(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1, expected=INVALID_JSON), ACK, ACK)
    sent(ledger, run, reading(2, expected=TOO_OLD), ACK)
    ledger.finish(run)
    counted = totals(ledger)
    assert counted.rejected == {INVALID_JSON: Bounds(2, 2), TOO_OLD: Bounds(1, 1)}
    assert counted.received == Bounds(3, 3)
    assert rows(ledger)[0] == {}


def test_an_answer_that_never_came_widens_the_duplicates_only(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), UNKNOWN, UNKNOWN, ACK)
    ledger.finish(run)
    counted = totals(ledger)
    assert counted.accepted == Bounds(1, 1)
    assert counted.duplicate == Bounds(0, 2)
    assert counted.received == Bounds(1, 3)
    assert rows(ledger)[0][SERIES][0] == 1


def test_a_reading_without_any_answer_is_unresolved(ledger: Ledger, run: Run) -> None:
    """Its writer died: it may have been sent, and once more may still come."""
    sent(ledger, run, reading(1))
    sent(ledger, run, reading(2), ACK)
    counted = totals(ledger)
    assert counted.unresolved == 1
    assert counted.accepted == Bounds(1, 2)
    assert counted.duplicate.most is None


@pytest.mark.parametrize(
    ("after_ms", "expected"),
    # Sent at `after_ms`, answered 5 ms later; late from 300,001 ms on.
    [(299_990, Bounds(0, 0)), (299_996, Bounds(0, 1)), (300_001, Bounds(1, 1))],
)
def test_late_between_send_and_answer_may_be_either(
    ledger: Ledger, run: Run, after_ms: int, expected: Bounds
) -> None:
    sent(ledger, run, reading(1), ACK, after_ms=after_ms)
    assert totals(ledger).late == expected


def test_late_is_judged_by_the_first_copy(ledger: Ledger, run: Run) -> None:
    sent(ledger, run, reading(1), ACK)
    ledger.answered(run, [Answer(1, ACK, NOON_MS + 600_000, NOON_MS + 600_005)])
    assert totals(ledger).late == Bounds(0, 0)


def test_bounds() -> None:
    assert Bounds(1, 2).hold(2)
    assert not Bounds(1, 2).hold(3)
    assert not Bounds(1, None).hold(0)
    assert Bounds(1, None).hold(10**9)
    assert [str(b) for b in (Bounds(1, 1), Bounds(1, 2), Bounds(1, None))] == ["1", "1..2", "1.."]
