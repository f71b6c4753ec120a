"""Usage events for the benchmarks: the same seed and end time give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from schemas.identity import identity_hash
from schemas.metering_rules import MINUTE_MS

REGIONS = ("eu-central", "us-east", "ap-northeast")
MORE_REGIONS = tuple(
    f"{place}-{number}" for place in ("eu", "us", "ap", "sa") for number in (1, 2, 3)
)
BLOCK_EVENTS = 10_000
INPUT_TOKENS_MAX = 10_000
OUTPUT_TOKENS_MAX = 500
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


def shaped(shape: str, events: int, end_ms: int) -> Load:
    """A load of one of `SHAPES`."""
    if shape == "zipf":
        return Load(events, end_ms, models=200, tenants=100_000, regions=MORE_REGIONS, zipf=True)
    return Load(events, end_ms)


#: What events look like: `usual`, of 1,000 tenants; `zipf`, of 100,000 as a platform has them.
SHAPES = ("usual", "zipf")


@dataclass(frozen=True, slots=True)
class Totals:
    """What any of the programs measured must find in the end."""

    events: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Block:
    """Some events as Kafka takes them, and their totals."""

    keys: list[bytes]
    values: list[bytes]
    totals: Totals


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
    keys, values = [], []
    rows = zip(
        *(_times_text(times), tenants, regions, models, inputs.tolist(), outputs.tolist()),
        strict=True,
    )
    for place, (time, tenant, region, model, input_tokens, output_tokens) in enumerate(rows):
        event_id = ids[32 * place : 32 * place + 32]
        keys.append(identity_hash(f"tenant-{tenant}", "gateway-1", event_id))
        values.append(
            f'{{"id":"{event_id}","source":"gateway-1","tenant":"tenant-{tenant}",'
            f'"time":"{time}Z","region":"{load.regions[region]}","provider":"openai",'
            f'"model":"model-{model}","input_tokens":{input_tokens},'
            f'"output_tokens":{output_tokens},"status":"ok"}}'.encode()
        )
    return Block(keys, values, Totals(count, int(inputs.sum()), int(outputs.sum())))


def _drawn(rng: np.random.Generator, kinds: int, count: int, zipf: bool) -> list[int]:
    """So many numbers below ``kinds``, equally frequent or by Zipf's law."""
    if zipf:
        drawn = np.searchsorted(_zipf_shares(kinds), rng.random(count), side="right")
    else:
        drawn = rng.integers(0, kinds, count)
    return cast("list[int]", drawn.tolist())


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
