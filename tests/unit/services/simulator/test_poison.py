"""Every kind of poison is refused for the reason the ledger expects, by both decoders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from schemas.usage_event import UsageEvent
from schemas.wire import InvalidEventError, decode
from services.simulator.poison import POISONS, Fields
from services.simulator.reading import METERED, Reading, event_fields

FIELDS = event_fields(Reading(METERED, "t", "s", "i", 1_773_576_000_250, "r", "p", "m", 5, 6))


@pytest.mark.parametrize(
    ("spoil", "reason"), POISONS, ids=lambda part: getattr(part, "__name__", "")
)
def test_poison_is_refused_with_its_reason(spoil: Callable[[Fields], bytes], reason: str) -> None:
    record = spoil(FIELDS)
    with pytest.raises(InvalidEventError) as refused:
        decode(record)
    assert refused.value.code == reason
    with pytest.raises((ValidationError, ValueError)):
        UsageEvent.model_validate_json(record)


@pytest.mark.parametrize(
    ("spoil", "reason"), POISONS, ids=lambda part: getattr(part, "__name__", "")
)
def test_poison_stays_on_one_line(spoil: Callable[[Fields], bytes], reason: str) -> None:
    """Or one broken event would become two lines of NDJSON."""
    record = spoil(FIELDS)
    assert record.strip()
    assert b"\n" not in record
