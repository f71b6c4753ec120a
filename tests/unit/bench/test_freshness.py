from __future__ import annotations

import random

import pytest

from bench.errors import BenchError
from bench.freshness import Probes, summary
from bench.ingest_load import LoadResult, batch
from schemas.wire import decode


def test_delays_run_from_accepted_to_visible() -> None:
    probes = Probes(1, "key")
    probes.accepted_at = {"a": 10.0, "b": 11.0}
    probes.visible_at = {"a": 10.5, "b": 13.0}
    assert probes.delays() == [0.5, 2.0]


def test_a_probe_that_never_became_visible_is_no_small_delay() -> None:
    probes = Probes(1, "key")
    probes.accepted_at = {"a": 10.0, "b": 11.0}
    probes.visible_at = {"a": 10.5}
    with pytest.raises(BenchError, match="1 of 2"):
        probes.delays()
    with pytest.raises(BenchError):
        Probes(1, "key").delays()


def test_the_summary_tells_the_load_that_was_reached() -> None:
    found = summary([0.1 * number for number in range(1, 101)], LoadResult(5000, 10, 2.5))
    assert (found.p50_seconds, found.p99_seconds, found.probes) == (5.0, 9.9, 100)
    assert found.load_events_per_second == 2000
    assert found.load_refused == 10


def test_the_load_is_valid_events_with_ids_of_their_own() -> None:
    lines = batch(random.Random(1), "run", 50).splitlines()
    # Ingest adds the key's tenant.
    events = [decode(line[:-1] + b',"tenant":"t"}') for line in lines]
    assert len({event.id for event in events}) == 50
