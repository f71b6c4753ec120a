from __future__ import annotations

import pytest

from bench.errors import VoidRunError
from bench.generator import Totals
from bench.peer_runs import Peer, check
from bench.peers.grain import Sums
from bench.peers.task import Report

EXPECTED = Totals(100, 50, 20)
SUMS = Sums(7, 1234)
SUMMING = Peer("summing", ["true"])
READING = Peer("reading", ["true"], sums=False)


def report(
    events: int = 100, input_tokens: int = 50, output_tokens: int = 20, sums: Sums = SUMS
) -> Report:
    tokens = (input_tokens, output_tokens)
    return Report(events, 1e9, 1.0, *tokens, sums.groups, sums.fingerprint, {})


def test_the_produced_sums_are_valid() -> None:
    check(SUMMING, report(), EXPECTED, SUMS)


@pytest.mark.parametrize("found", [(99, 50, 20), (100, 51, 20), (100, 50, 19)])
def test_other_totals_void_the_run(found: tuple[int, int, int]) -> None:
    with pytest.raises(VoidRunError, match="summing found"):
        check(SUMMING, report(*found), EXPECTED, SUMS)


@pytest.mark.parametrize("found", [Sums(6, 1234), Sums(7, 1235), Sums(0, 0)])
def test_the_same_totals_under_other_keys_void_the_run(found: Sums) -> None:
    with pytest.raises(VoidRunError, match="not by their keys"):
        check(SUMMING, report(sums=found), EXPECTED, SUMS)


def test_who_only_reads_is_held_to_the_number_of_events() -> None:
    nothing = Sums(0, 0)
    check(READING, report(100, 0, 0, nothing), EXPECTED, SUMS)
    with pytest.raises(VoidRunError):
        check(READING, report(101, 0, 0, nothing), EXPECTED, SUMS)
