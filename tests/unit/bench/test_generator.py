from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from bench.generator import (
    BLOCK_EVENTS,
    DISORDER_MS,
    LATE_DAYS,
    SHAPES,
    Load,
    Totals,
    blocks,
    shaped,
)
from schemas.identity import identity_hash
from schemas.metering_rules import MINUTE_MS
from schemas.wire import WireEvent, decode

END_MS = 1_790_000_000_000
LOAD = Load(BLOCK_EVENTS + 2_345, END_MS, seed=5, models=7, tenants=11)


def values(load: Load) -> list[bytes]:
    return list(itertools.chain.from_iterable(block.values for block in blocks(load)))


def keys(load: Load) -> list[bytes]:
    return list(itertools.chain.from_iterable(block.keys for block in blocks(load)))


def events(load: Load) -> list[WireEvent]:
    return [decode(value) for value in values(load)]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert values(LOAD) == values(LOAD)
    assert keys(LOAD) == keys(LOAD)
    other = dataclasses.replace(LOAD, seed=6)
    assert not set(values(LOAD)) & set(values(other))


def test_every_event_is_valid_and_no_id_comes_twice() -> None:
    found = events(LOAD)
    assert len(found) == LOAD.events
    assert len({event.id for event in found}) == LOAD.events
    assert {len(event.id) for event in found} == {32}


def test_totals_are_those_of_the_events() -> None:
    for block in blocks(LOAD):
        found = [decode(value) for value in block.values]
        assert block.totals == Totals(
            len(found),
            sum(event.input_tokens for event in found),
            sum(event.output_tokens for event in found),
        )


def test_the_key_is_the_hash_of_the_identity() -> None:
    found = [identity_hash(event.tenant, event.source, event.id) for event in events(LOAD)]
    assert found == keys(LOAD)


def test_models_regions_and_tenants_are_as_many_as_asked_for() -> None:
    found = events(LOAD)
    assert len({event.model for event in found}) == 7
    assert len({event.region for event in found}) == 3
    assert len({event.tenant for event in found}) == 11


def test_times_fill_the_span_in_order_but_for_a_slight_disorder() -> None:
    times = [round(event.time.timestamp() * 1000) for event in events(LOAD)]
    first = END_MS - 10 * MINUTE_MS
    for place, time_ms in enumerate(times):
        assert abs(time_ms - (first + place * 10 * MINUTE_MS // LOAD.events)) <= DISORDER_MS
    assert times != sorted(times)


def test_events_have_the_size_that_is_announced() -> None:
    load = dataclasses.replace(LOAD, models=20, tenants=1000)
    sizes = [len(value) for value in values(load)]
    assert 220 <= sum(sizes) / len(sizes) <= 240


def test_tenants_by_zipf_are_many_and_the_first_has_the_most() -> None:
    found = Counter(event.tenant for event in events(shaped("zipf", 50_000, END_MS)))
    (first, most), (second, fewer) = found.most_common(2)
    assert (first, second) == ("tenant-0", "tenant-1")
    # 1 / (1 + 1/2 + ... + 1/100,000) of all.
    assert 0.9 < most / (50_000 / 12.09) < 1.1
    assert 0.45 < fewer / most < 0.55
    assert len(found) > 10_000


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_valid_events_of_the_stated_totals(shape: str) -> None:
    load = shaped(shape, 4_000, END_MS)
    found = events(load)
    (totals,) = [block.totals for block in blocks(load)]
    assert totals == Totals(
        4_000,
        sum(event.input_tokens for event in found),
        sum(event.output_tokens for event in found),
    )
    assert len({event.id for event in found}) == 4_000


def test_writers_say_the_same_in_other_words() -> None:
    own, others = events(shaped("usual", 4_000, END_MS)), events(shaped("writers", 4_000, END_MS))
    assert own == others
    assert values(shaped("usual", 4_000, END_MS)) != values(shaped("writers", 4_000, END_MS))


def test_a_tenth_of_the_late_shape_is_late() -> None:
    end = datetime.fromtimestamp(END_MS / 1000, UTC)
    ages = [end - event.time for event in events(shaped("late", 10_000, END_MS))]
    assert 900 < sum(age > timedelta(minutes=20) for age in ages) < 1100
    assert timedelta(days=LATE_DAYS - 1) < max(ages) < timedelta(days=LATE_DAYS, hours=1)
