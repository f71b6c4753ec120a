"""The rules that a successor gets, and the key that a copied record gets."""

from __future__ import annotations

import pytest

from schemas.identity import identity_hash
from schemas.metering_rules import DAY_MS, HOUR_MS, MeteringRules
from services.operate.succession.copying import canonical_key
from services.operate.succession.rules import lenient, rules_to_inherit
from services.platform.errors import ConfigurationError
from tests.property.world import T0_MS, event

RULES = MeteringRules(too_old_ms=60 * DAY_MS)


def test_alike_in_all_partitions_they_are_inherited() -> None:
    assert rules_to_inherit({0: RULES, 1: RULES}, "c/a") == RULES


def test_different_ones_are_for_a_person_to_decide() -> None:
    with pytest.raises(ConfigurationError, match="different metering rules"):
        rules_to_inherit({0: RULES, 1: MeteringRules()}, "c/a")


def test_without_any_there_is_nothing_to_inherit() -> None:
    with pytest.raises(ConfigurationError, match="wattoken migrate"):
        rules_to_inherit({}, "c/a")


def test_what_was_young_enough_when_it_came_is_so_when_it_is_copied() -> None:
    assert lenient(RULES, 7 * DAY_MS).too_old_ms >= RULES.too_old_ms + 7 * DAY_MS


def test_what_was_sent_again_within_the_horizon_is_a_duplicate_when_it_is_copied() -> None:
    waited_ms = 6 * HOUR_MS
    assert lenient(RULES, waited_ms).dedup_horizon_ms >= RULES.dedup_horizon_ms + waited_ms


def test_a_record_without_a_key_gets_the_one_of_its_event() -> None:
    assert canonical_key(event(4, T0_MS, 1)) == identity_hash("tenant-0", "gateway", "id-4")


@pytest.mark.parametrize("value", [None, b"", b"{", b"null"])
def test_what_is_no_event_has_none(value: bytes | None) -> None:
    assert canonical_key(value) is None
