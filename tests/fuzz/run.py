"""Sends drawn requests and looks at every answer; ``python -m tests.fuzz.run --requests 20000``."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from schemas import wire
from services.ingest.errors import UNREADABLE
from services.ingest.rejections.record import decode
from tests.fuzz.mutations import CANARIES
from tests.fuzz.requests import Drawn, Requests
from tests.fuzz.service import Answer, Service

_SHOWN_BYTES: Final = 2000


@dataclass(slots=True)
class Tally:
    """What came of all requests."""

    requests: int = 0
    #: Events of requests that were read, and what became of them.
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    #: Requests that were refused as a whole.
    refused: int = 0
    #: Requests whose bytes were damaged: nobody can say what they hold.
    uncounted: int = 0
    kept: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


async def run(seed: int, requests: int) -> Tally:
    """Send so many requests; what is wrong with any answer is in `Tally.faults`."""
    service, tally = Service(), Tally()
    for drawn in islice(Requests(seed), requests):
        before = service.counted()
        service.log.records.clear()
        service.rejections.records.clear()
        answer = await service.post(drawn.path, drawn.headers, drawn.body)
        counted = {name: count - before[name] for name, count in service.counted().items()}
        wrong = [*judge(drawn, answer, counted, service), *look_at_kept(service, tally)]
        tally.faults += [f"{why}: {shown(drawn, answer)}" for why in wrong]
        _add(tally, drawn, answer, counted)
    return tally


def _add(tally: Tally, drawn: Drawn, answer: Answer, counted: dict[str, int]) -> None:
    tally.requests += 1
    tally.statuses[answer.status] += 1
    for name, count in counted.items():
        setattr(tally, name, getattr(tally, name) + count)
    if drawn.events is None:
        tally.uncounted += 1
        tally.received += counted["accepted"] + counted["rejected"] + counted["skipped"]
    elif not counted["refused"]:
        tally.received += drawn.events


def judge(drawn: Drawn, answer: Answer, counted: dict[str, int], service: Service) -> list[str]:
    """Say what is wrong with an answer."""
    wrong = []
    if answer.status >= 500:
        wrong.append(f"status {answer.status}")
    became = counted["accepted"] + counted["rejected"] + counted["skipped"]
    if counted["refused"]:
        if became:
            wrong.append("events of a refused request are counted")
        if counted["refused"] != 1 or answer.status not in (400, 413, 415):
            wrong.append(f"refused with {answer.status}")
    elif drawn.events is not None and became != drawn.events:
        wrong.append(f"{drawn.events} events came and {became} are accounted for")
    whole_refused = drawn.path == "/api/v1/events" and counted["rejected"]
    if len(service.log.records) != (0 if whole_refused else counted["accepted"]):
        wrong.append("accepted and published differ")
    for record in service.log.records:
        wire.decode(record["value"])
    return wrong


def look_at_kept(service: Service, tally: Tally) -> list[str]:
    """Say what is wrong with what was kept of a request."""
    wrong = []
    for record in service.rejections.records:
        kept = decode(record["value"])
        if kept is None:
            wrong.append("a kept rejection cannot be read")
            continue
        tally.kept += 1
        tally.codes[kept.code] += 1
        if kept.code == UNREADABLE or "fault of ours" in kept.message:
            wrong.append(kept.message)
        if any(canary[:12].encode() in record["value"] for canary in CANARIES):
            wrong.append(f"a prompt or a key is kept: {record['value'][:_SHOWN_BYTES]!r}")
    return wrong


def shown(drawn: Drawn, answer: Answer) -> str:
    """Show a request and its answer."""
    said = f"{drawn.path} {dict(drawn.headers)} {drawn.body[:_SHOWN_BYTES]!r}"
    return f"{said} -> {answer.status} {answer.body[:_SHOWN_BYTES]!r}"


def main() -> None:
    """Run from the command line; exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = asyncio.run(run(options.seed, options.requests))
    for fault in tally.faults[:20]:
        print(fault)
    whole = tally.accepted + tally.rejected + tally.skipped
    print(
        f"{tally.requests:,} requests, answers {dict(sorted(tally.statuses.items()))};"
        f" {tally.received:,} events received = {tally.accepted:,} accepted +"
        f" {tally.rejected:,} rejected + {tally.skipped:,} no usage; {tally.refused:,} requests"
        f" refused whole, {tally.kept:,} rejections kept; faults {len(tally.faults):,}"
    )
    print(f"kept by reason: {dict(tally.codes.most_common())}")
    if tally.faults or whole != tally.received or tally.kept != tally.rejected + tally.refused:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
