"""The audit's plain reading of a record accepts and refuses what the model and the meter do."""

from __future__ import annotations

import itertools
import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.usage_event import UsageEvent
from schemas.wire import InvalidEventError, WireEvent
from services.aggregator.arrays.frames import frames_of
from services.aggregator.arrays.narrow import widened
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.audit.event import MEASURES, Event, NotAnEventError, read_event
from tests.property.record_texts import (
    BYTE_MUTATIONS,
    FIELD_MUTATIONS,
    plain_fields,
    written,
)
from tests.property.test_wire_equals_model import (
    CLOCKS,
    DATES,
    EVENT,
    FRACTIONS,
    JSON_VALUES,
    KEYS,
    ODD_VALUES,
    PLAUSIBLE,
    SEPARATORS,
    SPACE,
    VALUES,
    ZONES,
    Field,
    write,
)
from tests.versions.effort import examples, some

EXAMPLES = examples(int(os.environ.get("WATTOKEN_PROPERTY_EXAMPLES", "5000")))


def by_the_meter(record: bytes) -> WireEvent | None:
    try:
        return wire.decode(record)
    except InvalidEventError:
        return None


def by_the_audit(record: bytes) -> Event | None:
    try:
        return read_event(record)
    except NotAnEventError:
        return None


def assert_alike(record: bytes) -> None:
    meter, audit = by_the_meter(record), by_the_audit(record)
    assert (meter is None) == (audit is None), record
    if meter is None or audit is None:
        return
    names = ("tenant", "source", "id", "entry", "region", "provider", "model")
    for name in names:
        assert getattr(meter, name) == getattr(audit, name), record
    decoded = Decoder(Labels()).decode(frames_of([record]))
    assert decoded.time_us.tolist() == [audit.time_us], record
    assert widened(decoded.measures, len(MEASURES)).tolist() == [list(audit.measures)], record
    assert widened(decoded.units, len(UNITS)).tolist() == [list(audit.quantities)], record
    assert ("", *SERVICE_TIERS)[int(decoded.tiers[0])] == audit.service_tier, record


def test_every_odd_value_in_every_field() -> None:
    adjustment = EVENT | {"entry": '"debit"', "adjusts": '"b"', "reason": '"why"'}
    for base, name in itertools.product((EVENT, adjustment), UsageEvent.model_fields):
        for value in ODD_VALUES:
            assert_alike(write(list((base | {name: value}).items())))


def test_times() -> None:
    for parts in some(list(itertools.product(DATES, SEPARATORS, CLOCKS, FRACTIONS, ZONES))):
        date, separator, clock, fraction, zone = parts
        assert_alike(
            write(list((EVENT | {"time": f'"{date}{separator}{clock}{fraction}{zone}"'}).items()))
        )


@pytest.mark.parametrize("first", ['" "', '"2026-01-32T12:00:00Z"', '"1999-01-01T00:00:00Z"', "1"])
def test_a_time_given_twice(first: str) -> None:
    assert_alike(write([("time", first), *EVENT.items()]))


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(
    changes=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=2),
    fields=st.fixed_dictionaries({}, optional=PLAUSIBLE),
    dropped=st.sets(st.sampled_from(sorted(EVENT)), max_size=1),
    first=st.booleans(),
    around=st.tuples(SPACE, SPACE),
)
def test_strange_fields(
    changes: list[Field],
    fields: dict[str, str],
    dropped: set[str],
    first: bool,
    around: tuple[str, str],
) -> None:
    kept = [field for field in (EVENT | fields).items() if field[0] not in dropped]
    assert_alike(write([*changes, *kept] if first else [*kept, *changes], *around))


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=40) | JSON_VALUES.map(str.encode))
def test_any_bytes(record: bytes) -> None:
    assert_alike(record)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32))
def test_records_that_were_changed(seed: int) -> None:
    chance = Random(seed)
    fields = plain_fields(chance)
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        if fields:
            chance.choice(FIELD_MUTATIONS)(fields, chance)
    record = written(fields)
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        if record:
            record = chance.choice(BYTE_MUTATIONS)(record, chance)
    assert_alike(record)
