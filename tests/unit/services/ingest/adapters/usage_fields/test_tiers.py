"""Words of tiers: what they mean, and that none is guessed."""

from __future__ import annotations

import pytest

from schemas.price_class import SERVICE_TIERS
from services.ingest.adapters.usage_fields.tiers import SPEEDS, TIERS, Told, Words, told


@pytest.mark.parametrize(
    ("readings", "tier"),
    [
        ([], None),
        ([("t", "default", TIERS)], "standard"),
        ([("t", "DEFAULT", TIERS)], "standard"),
        ([("t", "auto", TIERS)], None),
        ([("t", "", TIERS)], None),
        ([("t", "fast", TIERS)], "priority"),
        ([("s", "fast", SPEEDS)], "fast"),
        ([("s", "standard", SPEEDS)], None),
        ([("t", "standard", TIERS), ("s", "fast", SPEEDS)], "fast"),
        ([("t", "flex", TIERS), ("u", "flex", TIERS)], "flex"),
        ([("t", "flex", TIERS), ("u", "default", TIERS)], "flex"),
        ([("t", "auto", TIERS), ("u", "batch", TIERS)], "batch"),
    ],
)
def test_what_is_told(readings: list[tuple[str, str, Words]], tier: str | None) -> None:
    assert told(readings) == Told(tier)


def test_a_word_that_nobody_knows_is_named_and_not_guessed() -> None:
    assert told([("t", "Ultrafast", TIERS)]) == Told(None, ("t.Ultrafast",))
    assert told([("t", "ultrafast", TIERS), ("u", "flex", TIERS)]) == Told("flex", ("t.ultrafast",))


def test_two_that_contradict_each_other_are_none() -> None:
    assert told([("t", "batch", TIERS), ("s", "fast", SPEEDS)]) == Told(None, ("t.batch", "s.fast"))


def test_every_meaning_is_one_of_the_events_tiers() -> None:
    meanings = {meaning for words in (TIERS, SPEEDS) for meaning in words.values()} - {None}
    assert meanings == {*SERVICE_TIERS}
    # Its own words are known, so that a tier that was read once can be read again.
    assert {*SERVICE_TIERS} <= TIERS.keys()
