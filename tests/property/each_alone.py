"""What each record says by the decoder alone, to hold against what is read many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

import msgspec
import numpy as np

from schemas.measures import MEASURES
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.wire import UncheckedEvent, decode_many, decode_unchecked
from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.frames import Frames
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.narrow import widened
from services.aggregator.core.timing import EPOCH
from services.aggregator.decoding.columns import Decoded, Decoder, Failure
from services.aggregator.decoding.labels import Labels, Series
from tests.property.record_texts import BETWEEN

MICROSECOND: Final = timedelta(microseconds=1)


class Said(NamedTuple):
    """What a record says, by the decoder alone."""

    place: int
    tenant: str
    series: Series
    measures: tuple[int, ...]
    tier: str | None
    units: tuple[int, ...]
    adjusting: bool


def said(place: int, event: UncheckedEvent) -> Said:
    return Said(
        place,
        event.tenant,
        Series(event.entry, event.region, event.provider, event.model),
        (
            1,
            int(event.status == "error"),
            event.input_tokens,
            event.cache_read_input_tokens or 0,
            event.cache_write_input_tokens or 0,
            event.output_tokens,
            event.reasoning_output_tokens or 0,
            event.input_tokens + event.output_tokens if event.quality == "estimated" else 0,
            event.cache_write_5m_input_tokens or 0,
            event.cache_write_1h_input_tokens or 0,
            event.audio_input_tokens or 0,
            event.image_input_tokens or 0,
            event.cache_read_audio_input_tokens or 0,
            event.cache_read_image_input_tokens or 0,
            event.audio_output_tokens or 0,
            event.image_output_tokens or 0,
        ),
        event.service_tier,
        tuple(getattr(event, unit) or 0 for unit in UNITS),
        event.entry != "usage" or event.adjusts is not None or event.reason is not None,
    )


def each_alone(values: Sequence[bytes | None]) -> tuple[list[Said], list[UncheckedEvent]]:
    """What each record says that is an event, and the event."""
    words: list[Said] = []
    events: list[UncheckedEvent] = []
    for place, value in enumerate(values):
        found, _ = decode_many([value or b""])
        if found:
            event = decode_unchecked(value or b"")
            assert msgspec.structs.asdict(event).items() >= msgspec.structs.asdict(found[0]).items()
            words.append(said(place, event))
            events.append(event)
    return words, events


def failures_of(values: Sequence[bytes | None]) -> list[Failure]:
    return [
        Failure(place, fault.code, fault.message)
        for place, value in enumerate(values)
        for fault in decode_many([value or b""])[1].values()
    ]


def assert_times(found: Ints, events: Sequence[UncheckedEvent]) -> None:
    """Times are exact; those far out of range, which are refused, only nearly."""
    exact = np.array([(event.time - EPOCH) // MICROSECOND for event in events], np.int64)
    far = np.array([not 1999 <= event.time.year <= 2101 for event in events], np.bool_)
    assert (np.abs(found - exact) <= np.where(far, 1000, 0)).all()


def in_words(decoded: Decoded, labels: Labels) -> list[Said]:
    rows = zip(
        decoded.places.tolist(),
        [labels.tenants.meaning[number] for number in decoded.tenants.tolist()],
        [labels.series.meaning[number] for number in decoded.series.tolist()],
        map(tuple, widened(decoded.measures, len(MEASURES)).tolist()),
        [(None, *SERVICE_TIERS)[number] for number in decoded.tiers.tolist()],
        map(tuple, widened(decoded.units, len(UNITS)).tolist()),
        decoded.adjusting.tolist(),
        strict=True,
    )
    return [Said(*row) for row in rows]


def assert_decoded_as_each_alone(
    values: Sequence[bytes | None], ways: Sequence[tuple[Decoder, Frames]], labels: Labels
) -> None:
    """Decode the same values in one way after the other."""
    expected, events = each_alone(values)
    identities = [(event.tenant, event.source, event.id) for event in events]
    failures = failures_of(values)
    pairs = set()
    for decoder, frames in ways:
        decoded = decoder.decode(frames)
        assert decoded.count == len(values)
        assert in_words(decoded, labels) == expected
        assert_times(decoded.time_us, events)
        assert decoded.failures == failures
        assert decoded.identities.shape == (len(events), 2)
        pairs |= set(zip(map(tuple, decoded.identities.tolist()), identities, strict=True))
    # The same two words for one identity each time, and never for two.
    assert len(pairs) == len({words for words, _ in pairs}) == len(set(identities))


def scattered(values: Sequence[bytes | None], chance: Random) -> Frames:
    """Lay values out in any order with other bytes between them, as Kafka's batches have them."""
    order = list(range(len(values)))
    chance.shuffle(order)
    pieces = [chance.choice(BETWEEN)]
    for index in order:
        pieces += [values[index] or b"", chance.choice(BETWEEN)]
    edges = np.array(list(accumulate(map(len, pieces), initial=0)), np.int64)
    starts, ends = np.zeros((2, len(values)), np.int64)
    starts[order], ends[order] = edges[1:-1:2], edges[2::2]
    return Frames(Buffer(*pieces), starts, ends)
