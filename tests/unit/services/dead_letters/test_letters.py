"""Dead letters are put back only where that can help, under the key they must have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.identity import identity_hash
from schemas.metering_rules import DAY_MS, MINUTE_MS, MeteringRules
from services.dead_letters.letters import DeadLetter, Selection, log_record, why_not_back
from services.simulator.reading import METERED, Reading
from services.simulator.reading import log_record as encode

NOW_MS = 1_773_576_000_000
RULES = MeteringRules()


def letter(payload: bytes, payload_bytes: int | None = None) -> DeadLetter:
    size = len(payload) if payload_bytes is None else payload_bytes
    append = datetime(2026, 3, 15, tzinfo=UTC)
    return DeadLetter("c/t", 0, 5, "too_old", "…", payload, size, append)


def event(age_ms: int) -> bytes:
    return encode(Reading(METERED, "t", "s", "i", NOW_MS - age_ms, "r", "p", "m", 1, 1))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (event(35 * DAY_MS), None),
        (event(35 * DAY_MS + 1), "too old"),
        (event(-5 * MINUTE_MS), None),
        (event(-5 * MINUTE_MS - 1), "too new"),
        (b"{", "no valid event"),
        (b"\xff", "no valid event"),
    ],
)
def test_what_would_come_back_at_once_is_left(payload: bytes, why: str | None) -> None:
    found = why_not_back(letter(payload), RULES, NOW_MS)
    assert (found is None) if why is None else (found is not None and why in found)


def test_a_cut_payload_is_left() -> None:
    why = why_not_back(letter(event(0), 99_999), RULES, NOW_MS)
    assert why is not None and "was cut" in why


def test_it_goes_back_under_its_identity() -> None:
    key, value = log_record(letter(event(0)))
    assert key == identity_hash("t", "s", "i")
    assert value == event(0)


def test_selection_restricts_by_what_is_given() -> None:
    assert Selection().where == "1"
    assert Selection("too_old", 3, 0).where == (
        "reason = {reason:String} AND partition = {partition:UInt32} AND offset = {offset:UInt64}"
    )
