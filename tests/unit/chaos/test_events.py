"""Events of the harness: what it writes by itself is what the contract says."""

from __future__ import annotations

import json

import pytest

from schemas import price_class
from schemas.identity import identity_hash
from schemas.price_class import CONTEXT_THRESHOLDS, SERVICE_TIERS
from schemas.wire import InvalidEventError, WireEvent, decode
from tests.chaos.events import (
    THRESHOLDS,
    TIERS,
    UNITS,
    Nature,
    cloud_event,
    event_of,
    identity,
    log_key,
    log_record,
    native,
)

NUMBERS = range(2000)
NOW_MS = 1_795_000_000_123


def test_events_are_a_function_of_their_number() -> None:
    for number in range(50):
        one = event_of(1, 2, number)
        event_of.cache_clear()
        assert event_of(1, 2, number) == one
        assert log_record(one, NOW_MS) == log_record(event_of(1, 2, number), NOW_MS)
    assert event_of(1, 2, 3) != event_of(2, 2, 3)


def test_every_nature_is_what_the_contract_makes_of_it() -> None:
    seen = set()
    for number in NUMBERS:
        event = event_of(1, 0, number)
        seen.add(event.nature)
        record = log_record(event, NOW_MS)
        if event.nature is Nature.POISON:
            with pytest.raises(InvalidEventError):
                decode(record)
        else:
            assert decode(record).id == event.fields["id"]
    assert seen == set(Nature)


def test_events_tell_all_that_the_contract_knows() -> None:
    """And each as it is meant: what is written here by itself is read as the contract's."""
    told: set[str] = set()
    for number in NUMBERS:
        event = event_of(1, 0, number)
        if event.nature is Nature.METERED:
            read = decode(log_record(event, NOW_MS))
            fields = {name: getattr(read, name) for name in event.fields}
            assert fields == event.fields
            told |= fields.keys()
    assert told | {"tenant", "time", "region", "duration_ms"} == set(WireEvent.__struct_fields__)


def test_tiers_thresholds_and_units_are_the_contracts() -> None:
    assert TIERS == SERVICE_TIERS
    assert THRESHOLDS == CONTEXT_THRESHOLDS
    assert UNITS == price_class.UNITS
    sizes = {event_of(1, 0, number).fields["input_tokens"] for number in NUMBERS}
    assert sizes > {size + more for size in THRESHOLDS for more in (0, 1)}


def test_keys_are_those_that_ingest_gives() -> None:
    for number in NUMBERS:
        event = event_of(1, 0, number)
        key = identity_hash(event.tenant, event.fields["source"], event.fields["id"])
        assert log_key(event) == key


def test_an_id_says_whose_event_it_is() -> None:
    assert identity(event_of(1, 3, 14).fields["id"]) == (3, 14)
    assert identity("evt-of-long-ago") is None


def test_what_is_sent_over_http_leaves_the_account_to_the_key() -> None:
    event = event_of(1, 0, 1)
    assert not {"tenant", "region"} & json.loads(native(event, NOW_MS)).keys()
    assert cloud_event(event, NOW_MS)["id"] == event.fields["id"]
