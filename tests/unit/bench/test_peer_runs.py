from __future__ import annotations

import pytest

from bench.errors import VoidRunError
from bench.generator import Totals
from bench.peer_runs import Peer, check
from bench.peers.task import Report

EXPECTED = Totals(100, 50, 20)
SUMMING = Peer("summing", ["true"])
READING = Peer("reading", ["true"], sums=False)


def test_the_produced_totals_are_valid() -> None:
    check(SUMMING, Report(100, 1.0, 50, 20, {}), EXPECTED)


@pytest.mark.parametrize("found", [(99, 50, 20), (100, 51, 20), (100, 50, 19)])
def test_other_totals_void_the_run(found: tuple[int, int, int]) -> None:
    events, input_tokens, output_tokens = found
    with pytest.raises(VoidRunError, match="summing"):
        check(SUMMING, Report(events, 1.0, input_tokens, output_tokens, {}), EXPECTED)


def test_who_only_reads_is_held_to_the_number_of_events() -> None:
    check(READING, Report(100, 1.0, 0, 0, {}), EXPECTED)
    with pytest.raises(VoidRunError):
        check(READING, Report(101, 1.0, 0, 0, {}), EXPECTED)
