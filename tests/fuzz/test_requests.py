"""A few hundred of the structured requests; ``python -m tests.fuzz.run`` sends 20,000."""

from __future__ import annotations

import asyncio

import pytest

from services.ingest import batches
from tests.fuzz.run import run

REQUESTS = 300


def test_no_request_ends_in_a_fault_and_no_event_is_lost_from_sight() -> None:
    tally = asyncio.run(run(seed=7, requests=REQUESTS))
    assert tally.faults == []
    assert tally.received == tally.accepted + tally.rejected + tally.skipped
    assert tally.kept == tally.rejected + tally.refused
    # It would prove nothing if all were of one kind.
    assert tally.requests == REQUESTS
    assert min(tally.accepted, tally.rejected, tally.skipped, tally.refused) > 10
    assert len(tally.codes) > 8


def test_it_notices_an_event_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_admit", lambda *_: None)
    tally = asyncio.run(run(seed=7, requests=20))
    assert any("are accounted for" in fault for fault in tally.faults)


def test_it_notices_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(batches, "check_readable", broken)
    tally = asyncio.run(run(seed=7, requests=20))
    assert any("fault of ours" in fault for fault in tally.faults)
    assert not {status for status in tally.statuses if status >= 500}
