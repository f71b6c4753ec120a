"""Usage events for the benchmarks: the same seed and end time give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.grain import HOURS, MINUTES, Grain
from schemas.identity import identity_hash
from schemas.metering_rules import DAY_MS, MINUTE_MS

REGIONS = ("eu-central", "us-east", "ap-northeast")
MORE_REGIONS = tuple(
    f"{place}-{number}" for place in ("eu", "us", "ap", "sa") for number in (1, 2, 3)
)
BLOCK_EVENTS = 10_000
INPUT_TOKENS_MAX = 10_000
OUTPUT_TOKENS_MAX = 500
LATE_DAYS = 10
#: Of all events, as the texts below have it.
PROVIDER = "openai"
#: Events as ingest and the client write them.
OWN = (
    '{{"id":"{id}","source":"gateway-1","tenant":"tenant-{tenant}","time":"{time}Z",'
    '"region":"{region}","provider":"openai","model":"model-{model}","input_tokens":{input},'
    '"output_tokens":{output},"status":"ok"}}'
)
#: As Python's `json.dumps` writes them, in an order of its own.
SPACED = (
    '{{"time": "{time}Z", "model": "model-{model}", "provider": "openai", "region": "{region}",'
    ' "tenant": "tenant-{tenant}", "source": "gateway-1", "id": "{id}",'
    ' "output_tokens": {output}, "input_tokens": {input}, "status": "ok"}}'
)
#: With `sort_keys`, and without spaces.
SORTED = (
    '{{"id":"{id}","input_tokens":{input},"model":"model-{model}","output_tokens":{output},'
    '"provider":"openai","region":"{region}","source":"gateway-1","status":"ok",'
    '"tenant":"tenant-{tenant}","time":"{time}Z"}}'
)
#: With the time as Python's `isoformat` has it, and null where there is nothing to say.
OFFSET = (
    '{{"id": "{id}", "source": "gateway-1", "tenant": "tenant-{tenant}",'
    ' "time": "{time}+00:00", "region": "{region}", "provider": "openai",'
    ' "model": "model-{model}", "input_tokens": {input}, "output_tokens": {output},'
    ' "cache_read_input_tokens": null, "status": "ok", "duration_ms": null}}'
)
#: Parts are 0 where there is no token that could be one.
WIDE = (
    '{{"id":"{id}","source":"gateway-1","tenant":"tenant-{tenant}","time":"{time}Z",'
    '"region":"{region}","provider":"openai","model":"model-{model}","input_tokens":{input},'
    '"output_tokens":{output},"cache_read_input_tokens":{half},"cache_write_input_tokens":{few},'
    '"reasoning_output_tokens":0,"status":"ok","quality":"measured","duration_ms":{output},'
    '"service_tier":"batch","cache_write_5m_input_tokens":{few},"cache_write_1h_input_tokens":0,'
    '"audio_input_tokens":{few},"image_input_tokens":0,"web_searches":1,"pages":2}}'
)
#: An event is reported up to this much before or after its place in the order of time.
DISORDER_MS = 500


@dataclass(frozen=True, slots=True)
class Load:
    """What is generated: `events` spread evenly over the `span_ms` before `end_ms`.

    ``zipf``: tenants, models and regions are not equally frequent, but the n-th has 1/n of the
    first one's events, as customers of a platform have.
    """

    events: int
    end_ms: int
    seed: int = 1
    span_ms: int = 10 * MINUTE_MS
    models: int = 20
    tenants: int = 1000
    regions: tuple[str, ...] = REGIONS
    zipf: bool = False
    #: How events are written, in turns.
    texts: tuple[str, ...] = (OWN,)
    #: Which part of the events is late, by up to `LATE_DAYS`.
    late_share: float = 0.0


#: What events look like, and how that differs from the usual load.
SHAPES: dict[str, dict[str, Any]] = {
    #: 1,000 tenants, 20 models, 3 regions, as ingest and the client write them.
    "usual": {},
    #: Tenants, models and regions of a large platform, few of which have most of the events.
    "zipf": {"models": 200, "tenants": 100_000, "regions": MORE_REGIONS, "zipf": True},
    #: Another writer's: keys in another order, with spaces.
    "spaced": {"texts": (SPACED,)},
    #: Four writers', one after the other.
    "writers": {"texts": (OWN, SPACED, SORTED, OFFSET)},
    #: All that an event may say beside what it must.
    "wide": {"texts": (WIDE,)},
    #: A tenth is late by up to ten days, as after an outage.
    "late": {"late_share": 0.1},
}


def grain_of(shape: str) -> Grain:
    """What programs sum of a shape: where tenants are many, tenants are what it is about."""
    return HOURS if SHAPES[shape].get("zipf") else MINUTES


def shaped(shape: str, events: int, end_ms: int) -> Load:
    """A load of one of `SHAPES`."""
    return Load(events, end_ms, **SHAPES[shape])


@dataclass(frozen=True, slots=True)
class Totals:
    """What any of the programs measured must find in the end."""

    events: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """What sums are made of, as it was drawn: a number for each event, and times since 1970."""

    times_ms: NDArray[np.int64]
    tenants: NDArray[np.int64]
    regions: NDArray[np.int64]
    models: NDArray[np.int64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Some events as Kafka takes them, their totals, and what they were written from."""

    keys: list[bytes]
    values: list[bytes]
    totals: Totals
    drawn: Drawn


def blocks(load: Load) -> Iterator[Block]:
    """Generate the load in blocks of at most `BLOCK_EVENTS`, in order of time but for disorder."""
    rng = np.random.default_rng(load.seed)
    for first in range(0, load.events, BLOCK_EVENTS):
        yield _block(load, first, min(BLOCK_EVENTS, load.events - first), rng)


def _block(load: Load, first: int, count: int, rng: np.random.Generator) -> Block:
    """Draw all of a block at once; only putting the texts together is per event."""
    places = np.arange(first, first + count)
    times = load.end_ms - load.span_ms + places * load.span_ms // load.events
    times = times + rng.integers(-DISORDER_MS, DISORDER_MS + 1, count)
    ids = rng.bytes(16 * count).hex()
    tenants = _drawn(rng, load.tenants, count, load.zipf)
    models = _drawn(rng, load.models, count, load.zipf)
    regions = _drawn(rng, len(load.regions), count, load.zipf)
    inputs = rng.integers(0, INPUT_TOKENS_MAX, count)
    outputs = rng.integers(0, OUTPUT_TOKENS_MAX, count)
    if load.late_share:
        late_by = rng.integers(0, LATE_DAYS * DAY_MS, count)
        times = np.where(rng.random(count) < load.late_share, times - late_by, times)
    keys, values = [], []
    columns = (column.tolist() for column in (tenants, regions, models, inputs, outputs))
    rows = zip(_times_text(times), *columns, strict=True)
    for place, (time, tenant, region, model, input_tokens, output_tokens) in enumerate(rows):
        event_id = ids[32 * place : 32 * place + 32]
        keys.append(identity_hash(f"tenant-{tenant}", "gateway-1", event_id))
        text = load.texts[place % len(load.texts)].format(
            id=event_id,
            tenant=tenant,
            time=time,
            region=load.regions[region],
            model=model,
            input=input_tokens,
            output=output_tokens,
            half=input_tokens // 2,
            few=input_tokens // 8,
        )
        values.append(text.encode())
    drawn = Drawn(times, tenants, regions, models, inputs, outputs)
    return Block(keys, values, Totals(count, int(inputs.sum()), int(outputs.sum())), drawn)


def _drawn(rng: np.random.Generator, kinds: int, count: int, zipf: bool) -> NDArray[np.int64]:
    """So many numbers below ``kinds``, equally frequent or by Zipf's law."""
    if zipf:
        return np.searchsorted(_zipf_shares(kinds), rng.random(count), side="right")
    return rng.integers(0, kinds, count)


@cache
def _zipf_shares(kinds: int) -> NDArray[np.float64]:
    """The shares of the first, of the first two, and so on."""
    summed = np.cumsum(1 / np.arange(1, kinds + 1))
    shares: NDArray[np.float64] = summed / summed[-1]
    return shares


def _times_text(times_ms: NDArray[np.int64]) -> list[str]:
    return [str(text) for text in np.datetime_as_string(times_ms.astype("datetime64[ms]"))]


def now_ms() -> int:
    """The clock, in milliseconds."""
    return int(datetime.now(UTC).timestamp() * 1000)
