from __future__ import annotations

from collections import defaultdict

import pytest

from bench.generator import BLOCK_EVENTS, SHAPES, Load, blocks, grain_of, shaped
from bench.oracle import Oracle
from bench.peers.grain import GRAINS, HOURS, MINUTES, Grain, Sums, summed
from schemas.wire import decode

END_MS = 1_790_000_000_000


def found(load: Load, grain: Grain) -> Sums:
    oracle = Oracle(load, grain)
    for block in blocks(load):
        oracle.add(block)
    return oracle.sums()


def read(load: Load, grain: Grain) -> Sums:
    """The same from the events as they are written."""
    tokens: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for block in blocks(load):
        for value in block.values:
            event = decode(value)
            seconds = int(event.time.timestamp()) // grain.window_seconds * grain.window_seconds
            words = [str(getattr(event, column)) for column in grain.columns]
            total = tokens["|".join([str(seconds), *words])]
            total[0] += event.input_tokens
            total[1] += event.output_tokens
    return summed((key, total[0], total[1]) for key, total in tokens.items())


@pytest.mark.parametrize("grain", GRAINS.values(), ids=lambda grain: grain.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sums_are_those_of_the_events_as_written(shape: str, grain: Grain) -> None:
    load = shaped(shape, BLOCK_EVENTS + 2_000, END_MS)
    assert found(load, grain) == read(load, grain)


def test_there_are_as_many_keys_as_can_be() -> None:
    load = Load(BLOCK_EVENTS, END_MS, models=3, tenants=2, span_ms=60_000)
    assert found(load, MINUTES).groups in (2 * 9, 3 * 9)
    assert found(load, HOURS).groups == 2 * 9


def test_many_tenants_are_summed_by_tenant() -> None:
    assert grain_of("zipf") is HOURS
    assert {grain_of(shape) for shape in SHAPES if shape != "zipf"} == {MINUTES}


def test_nothing_has_no_sums() -> None:
    assert Oracle(Load(1, END_MS), HOURS).sums() == Sums(0, 0)
