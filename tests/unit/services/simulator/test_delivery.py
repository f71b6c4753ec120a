"""Delivery: into the ledger before it is sent, and again until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from threading import Event

import pytest

from services.simulator import delivery
from services.simulator.delivery import (
    BATCH_EVENTS,
    HttpDelivery,
    Journal,
    Posted,
    Tally,
    deliver_straight,
)
from services.simulator.fleet import Emission
from services.simulator.ledger import Answer, Ledger, Outcome, Run
from services.simulator.reading import METERED, Reading

ACK = Outcome.ACKNOWLEDGED
READING = Reading(METERED, "acme", "gw", "e", 1, "eu", "openai", "luna", 9, 1)


def emission(number: int, tenant: str = "acme", *, straight: bool = False) -> Emission:
    return Emission(0, number, READING._replace(id=f"e{number}", tenant=tenant), straight)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger(":memory:") as opened:
        yield opened


@pytest.fixture
def journal(ledger: Ledger) -> Journal:
    return Journal(ledger, ledger.begin("run", 0))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", (0.0, 0.001))


class Wire:
    """Both kinds of sender; answers with `plan`, one outcome a call, then acknowledges."""

    def __init__(self, ledger: Ledger, *plan: Outcome) -> None:
        self.ledger = ledger
        self.plan = list(plan)
        self.sent: list[list[int]] = []

    def send(self, emissions: Sequence[Emission]) -> list[Answer]:
        numbers = [emission.number for emission in emissions]
        self.check_recorded(numbers)
        self.sent.append(numbers)
        outcome = self.plan.pop(0) if self.plan else ACK
        return [Answer(number, outcome, 1, 2) for number in numbers]

    def check_recorded(self, numbers: list[int]) -> None:
        recorded = {seq for (seq,) in self.ledger.connection.execute("SELECT seq FROM readings")}
        assert {Run(1, "", 0).first_seq + number for number in numbers} <= recorded

    async def post(self, emissions: Sequence[Emission]) -> Posted:
        await asyncio.sleep(0)
        assert len({emission.reading.tenant for emission in emissions}) == 1
        answers = self.send(emissions)
        done = answers[0].outcome in (ACK, Outcome.REFUSED)
        return Posted(answers, [] if done else list(emissions))


def post(wire: Wire, journal: Journal, emissions: list[Emission], straight: Wire | None) -> None:
    run = HttpDelivery(wire, straight, journal).run(iter(emissions), paced=False, stop=Event())
    asyncio.run(run)


def outcomes(ledger: Ledger) -> list[tuple[int, int]]:
    rows = ledger.connection.execute("SELECT seq, outcome FROM sends ORDER BY rowid").fetchall()
    return [(seq - Run(1, "", 0).first_seq, outcome) for seq, outcome in rows]


def finished(ledger: Ledger) -> bool:
    return bool(ledger.connection.execute("SELECT * FROM finished_runs").fetchall())


def test_straight_again_until_acknowledged(ledger: Ledger, journal: Journal) -> None:
    wire = Wire(ledger, Outcome.UNKNOWN, Outcome.UNKNOWN)
    deliver_straight(iter([emission(0)]), wire, journal, paced=False, stop=Event())
    assert wire.sent == [[0], [0], [0]]
    assert outcomes(ledger) == [(0, Outcome.UNKNOWN), (0, Outcome.UNKNOWN), (0, ACK)]
    assert journal.tally == Tally(sent=3, acknowledged=1, retried=2)
    assert finished(ledger)


def test_http_again_until_acknowledged(ledger: Ledger, journal: Journal) -> None:
    wire = Wire(ledger, Outcome.NOT_TAKEN, Outcome.UNKNOWN)
    post(wire, journal, [emission(0), emission(1)], None)
    assert wire.sent == [[0, 1]] * 3
    assert journal.tally == Tally(sent=6, acknowledged=2, retried=4)
    assert finished(ledger)


def test_refused_is_not_sent_again(ledger: Ledger, journal: Journal) -> None:
    wire = Wire(ledger, Outcome.REFUSED)
    post(wire, journal, [emission(0)], None)
    assert wire.sent == [[0]]
    assert journal.tally.refused == 1


def test_a_resend_is_recorded_once_and_sent_twice(ledger: Ledger, journal: Journal) -> None:
    wire = Wire(ledger)
    numbers = [0, 1, 1, 2, 0]
    post(wire, journal, [emission(number) for number in numbers], None)
    assert ledger.connection.execute("SELECT count(*) FROM readings").fetchone() == (3,)
    assert sorted(number for number, _ in outcomes(ledger)) == [0, 0, 1, 1, 2]


def test_batches_are_full_and_of_one_tenant(ledger: Ledger, journal: Journal) -> None:
    wire = Wire(ledger)
    stream = [emission(number, f"t{number % 2}") for number in range(3 * BATCH_EVENTS)]
    post(wire, journal, stream, None)
    assert sorted(len(batch) for batch in wire.sent) == [50, 50, 100, 100]
    assert journal.tally.acknowledged == 300


def test_what_is_to_go_straight_does(ledger: Ledger, journal: Journal) -> None:
    class FromThread(Wire):
        def check_recorded(self, numbers: list[int]) -> None:
            """Not from here: SQLite's connections stay in their thread."""

    wire, straight = Wire(ledger), FromThread(ledger, Outcome.UNKNOWN)
    post(wire, journal, [emission(0), emission(1, straight=True)], straight)
    assert (wire.sent, straight.sent) == ([[0]], [[1], [1]])


def test_straight_goes_over_http_where_there_is_no_other_way(
    ledger: Ledger, journal: Journal
) -> None:
    wire = Wire(ledger)
    post(wire, journal, [emission(0, straight=True)], None)
    assert wire.sent == [[0]]


def test_stop_ends_it_in_order(ledger: Ledger, journal: Journal) -> None:
    wire, stop = Wire(ledger), Event()

    def endless() -> Iterator[Emission]:
        for number in range(10**9):
            if number == 250:
                stop.set()
            yield emission(number)

    asyncio.run(HttpDelivery(wire, None, journal).run(endless(), paced=False, stop=stop))
    assert sum(len(batch) for batch in wire.sent) == 250
    assert finished(ledger)


def test_once_stopped_it_gives_up_and_leaves_the_run_open(ledger: Ledger, journal: Journal) -> None:
    wire, stop = Wire(ledger, *[Outcome.UNKNOWN] * 50), Event()

    def two() -> Iterator[Emission]:
        yield emission(0)
        stop.set()
        yield emission(1)

    asyncio.run(HttpDelivery(wire, None, journal).run(two(), paced=False, stop=stop))
    assert wire.sent == [[0]] * delivery.ATTEMPTS_AFTER_STOP_MAX
    assert not finished(ledger)


def test_an_error_that_no_retry_mends_leaves_the_run_open(ledger: Ledger, journal: Journal) -> None:
    class Broken(Wire):
        async def post(self, emissions: Sequence[Emission]) -> Posted:
            raise RuntimeError("broken")

    with pytest.raises(ExceptionGroup):
        post(Broken(ledger), journal, [emission(0)], None)
    assert not finished(ledger)


def test_the_journal_remembers_little() -> None:
    with Ledger(":memory:") as ledger:
        journal = Journal(ledger, ledger.begin("run", 0))
        for number in range(10_000):
            journal.record([emission(number), emission(max(0, number - 50))])
        assert len(journal._recorded) < 100


def test_pacing_waits_until_it_is_due(ledger: Ledger, journal: Journal) -> None:
    wire, start_ms = Wire(ledger), delivery.now_ms()
    stream = [emission(0)._replace(at_ms=start_ms), emission(1)._replace(at_ms=start_ms + 400)]
    deliver_straight(iter(stream), wire, journal, paced=True, stop=Event())
    assert delivery.now_ms() >= start_ms + 400
    assert wire.sent == [[0], [1]]
