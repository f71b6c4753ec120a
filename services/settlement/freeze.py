"""Makes a run, in this order.

1. Be alone. The log of all runs is read and held against its last head.
2. Take the cut: the checkpoints, or the offset vector that was asked for.
3. Read all charges; then see that no slice of the month and no price moved meanwhile, and that no
   slice has an event from beyond the cut. Else again from (2).
4. Put each tenant's statement into the log; sign the head.
5. Read the charges again, tenant by tenant, and write the bills. One whose statement is another
   than in (3) stops it.
6. Write the run: from here on it holds, and its bills with it.

Slices are written before their checkpoint. So a slice whose version is not beyond the checkpoint
has all events below it, and the charges are a function of the cut and the prices.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from services.billing.periods import Period
from services.platform.errors import ConfigurationError, UnavailableError
from services.settlement.bill import (
    Head,
    Publisher,
    Statement,
    Terms,
    earlier_head,
    make_statement,
    signed,
)
from services.settlement.canonical import Body, canonical, sha256
from services.settlement.charges import DemandCharge, demand_of
from services.settlement.cut import Cut, must_be_reached, must_follow
from services.settlement.merkle import Tree
from services.settlement.queries import (
    read_charges,
    read_cut,
    read_demand_charges,
    read_moment,
    read_tenants,
)
from services.settlement.runs import must_be_next, must_be_time, run_before
from services.settlement.signer import Signer
from services.settlement.store import (
    Run,
    alone,
    content_of,
    made_of,
    read_log,
    read_runs,
    run_of,
    write_bill,
    write_run,
)

#: A month that is over moves seldom: by late events, and then for the time of a flush.
ROUNDS: Final = 10
PAUSE_SECONDS: Final = 1.0
#: Tenants whose charges are read together.
TENANTS_AT_ONCE: Final = 5
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be settled; ``cut`` is None for what is metered by now."""

    period: Period
    run: str
    cut: Cut | None
    now: datetime

    @property
    def month(self) -> str:
        """As people write it."""
        return f"{self.period.start:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was read: the cut, the prices' hash, and each tenant's leaf in the log, by name."""

    cut: Cut
    catalogue: str
    prices: tuple[DemandCharge, ...]
    leaves: dict[str, bytes]


def settle(client: Client, wanted: Wanted, signer: Signer, progress: Progress) -> Run:
    """Make a run; one that was made meanwhile is given as it is.

    ``progress`` is told how many bills are written. Raises `ConfigurationError` where the run may
    not be made, `UnavailableError`.
    """
    with alone(client, wanted.now):
        runs = read_runs(client)
        made = made_of(runs, wanted.period.start)
        if wanted.run in made:
            return made[wanted.run]
        must_be_next(wanted.period, wanted.run, made)
        must_be_time(wanted.period, wanted.now)
        log = read_log(client, runs)
        before = _before(runs, wanted)
        drawn, terms = _draw(client, wanted, before)
        return _publish(client, wanted, signer, progress, log=log, drawn=drawn, terms=terms)


def _before(runs: Sequence[Run], wanted: Wanted) -> Run | None:
    """The run that this one goes on from: the month's last, or the last of all."""
    name = run_before(wanted.run)
    if name is not None:
        return run_of(runs, wanted.period.start, name)
    return runs[-1] if runs else None


def _draw(client: Client, wanted: Wanted, before: Run | None) -> tuple[Drawn, Terms]:
    """Read the month until it holds still."""
    for number in range(ROUNDS):
        if number:
            time.sleep(PAUSE_SECONDS)
        metered = read_cut(client)
        cut = wanted.cut or metered
        first = read_moment(client, wanted.period)
        if wanted.cut is not None:
            must_be_reached(cut, metered, first.versions)
        if before is not None and before.period_start == wanted.period.start:
            must_follow(cut, before.offsets, before.run)
        head = None if before is None else before.log_head
        terms = Terms(wanted.month, wanted.run, cut.hash, first.catalogue, head)
        prices = tuple(read_demand_charges(client, wanted.period))
        leaves = {one.tenant: one.leaf for one in _statements(client, wanted.period, terms, prices)}
        beyond = any(
            version > cut.offsets.get(place, 0) for place, version in first.versions.items()
        )
        if not leaves:
            raise ConfigurationError(
                f"nobody was metered in {wanted.month}: there is nothing to settle"
            )
        if not beyond and read_moment(client, wanted.period) == first:
            return Drawn(cut, first.catalogue, prices, leaves), terms
    raise UnavailableError(
        f"{wanted.month} does not hold still: late events of it, or prices, come in all the time."
        " Run it again"
    )


def _statements(
    client: Client, period: Period, terms: Terms, prices: Sequence[DemandCharge]
) -> Iterator[Statement]:
    """The statements of all tenants, by name."""
    tenants = read_tenants(client, period)
    for first in range(0, len(tenants), TENANTS_AT_ONCE):
        chunk = tenants[first : first + TENANTS_AT_ONCE]
        for tenant, charges in read_charges(client, period, chunk).items():
            yield make_statement(terms, tenant, charges, demand_of(charges, prices))


def _publish(
    client: Client,
    wanted: Wanted,
    signer: Signer,
    progress: Progress,
    *,
    log: Tree,
    drawn: Drawn,
    terms: Terms,
) -> Run:
    """Write the bills and the run."""
    places = {tenant: log.add(leaf) for tenant, leaf in drawn.leaves.items()}
    head = Head(wanted.month, wanted.run, len(log), log.root().hex())
    signed_head = signed(head.body, signer.sign)
    earlier: tuple[Body, ...] = ()
    if terms.before is not None:
        # Signed anew: it may have been another key's.
        held = signed(terms.before.body, signer.sign)
        earlier = (earlier_head(held, log, terms.before.size),)
    publisher = Publisher(signer.public_key, log, signed_head, earlier, signer.sign)
    attempt, hashes = uuid.uuid4().hex, []
    start = wanted.period.start
    for statement in _statements(client, wanted.period, terms, drawn.prices):
        if drawn.leaves.get(statement.tenant) != statement.leaf:
            raise UnavailableError(
                f"{wanted.month} moved while its bills were written: run it again"
            )
        place = places[statement.tenant]
        content = publisher.bill(statement, place)
        hashes.append(sha256(content))
        row = (start, wanted.run, statement.tenant, attempt, place, statement.leaf.hex())
        write_bill(client, (*row, hashes[-1], content.decode()))
        progress(len(hashes))
    if len(hashes) != len(places):
        raise UnavailableError(f"{wanted.month} moved while its bills were written: run it again")
    run = Run(
        *(start, wanted.run, attempt, len(log) - len(places), len(log), head.root),
        *(canonical(signed_head).decode(), drawn.cut.text, drawn.catalogue, signer.public_key),
        content_of(hashes),
    )
    write_run(client, run)
    return run
