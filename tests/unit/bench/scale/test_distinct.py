"""Expected numbers of different keys are what drawing them gives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.generator import SHAPES, blocks, shaped
from bench.scale.distinct import of, uniform, zipf
from bench.scale.writing import load_of, rows_of

EVENTS = 50_000


def drawn(kinds: int, skewed: bool, rng: np.random.Generator) -> NDArray[np.int64]:
    if not skewed:
        return rng.integers(0, kinds, EVENTS)
    shares = 1 / np.arange(1, kinds + 1)
    return rng.choice(kinds, EVENTS, p=shares / shares.sum())


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("kinds", [(1000, 20, 3, 4), (100_000, 200, 12, 4), (7,)])
def test_as_many_as_are_drawn(kinds: tuple[int, ...], skewed: bool) -> None:
    rng = np.random.default_rng(5)
    members = [drawn(each, skewed, rng) for each in kinds]
    found = len({*zip(*(each.tolist() for each in members), strict=True)})
    keys = of(*((zipf if skewed else uniform)(each) for each in kinds))
    assert keys.count == pytest.approx(np.prod(kinds, dtype=float), rel=0.01)
    assert float((keys.shares * keys.counts).sum()) == pytest.approx(1)
    assert keys.distinct(EVENTS) == pytest.approx(found, rel=0.03)


def test_ten_million_of_them_take_no_room() -> None:
    keys = zipf(10_000_000)
    assert len(keys.shares) < 1000
    assert keys.count == 10_000_000
    first = 1 / np.log(10_000_000)
    assert keys.shares.max() == pytest.approx(first, rel=0.1)


def test_rows_of_a_flush_are_those_of_the_benchmarks_own_events() -> None:
    """Hours, minutes and registers of the usual shape, counted one by one."""
    load = shaped("usual", EVENTS, 1_789_000_000_000)
    found: set[tuple[object, ...]] = set()
    rng = np.random.default_rng(1)
    for block in blocks(load):
        told = block.drawn
        columns = (told.times_ms, told.tenants, told.regions, told.models)
        for time, tenant, region, model in zip(*(each.tolist() for each in columns), strict=True):
            series = (region, model, int(rng.integers(0, 4)))
            found |= {("r", *series), ("m", time // 60_000, *series), ("h", tenant, *series)}
    expected = rows_of(load_of(SHAPES["usual"], EVENTS, 4), EVENTS)
    assert expected == pytest.approx(len(found), rel=0.03)
