"""The tables of settlement: runs and bills as they were made, which nothing replaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from services.platform.clickhouse import INSERT_SETTINGS, all_rows, mapped_errors
from services.platform.errors import ConfigurationError, WattokenError
from services.settlement.bill import Head
from services.settlement.canonical import sha256
from services.settlement.cut import Cut
from services.settlement.merkle import Tree
from services.settlement.runs import RUNS

RUN_COLUMNS: Final = (
    *("period_start", "run", "attempt", "first_place", "size", "root", "head", "cut"),
    *("catalogue", "public_key", "content"),
)
BILL_COLUMNS: Final = (
    *("period_start", "run", "tenant", "attempt", "place", "leaf", "bill_sha256", "bill"),
)
#: ClickHouse's code for a table that is there already.
_TABLE_EXISTS: Final = 57
_LOCK: Final = "settlement_lock"


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was made; ``head`` is its signed head."""

    period_start: date
    run: str
    attempt: str
    first_place: int
    size: int
    root: str
    head: str
    cut: str
    catalogue: str
    public_key: str
    content: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.run} of {self.period_start:%Y-%m}"

    @property
    def log_head(self) -> Head:
        """The Merkle log behind it."""
        return Head(f"{self.period_start:%Y-%m}", self.run, self.size, self.root)

    @property
    def offsets(self) -> Cut:
        """What it was cut at."""
        return Cut.of(self.cut)


@dataclass(frozen=True, slots=True)
class StoredBill:
    """What is known of a bill without reading it."""

    run: Run
    tenant: str
    place: int
    leaf: str
    bill_sha256: str


def read_runs(client: Client) -> list[Run]:
    """All runs in the order of the log. Raises `ConfigurationError` where one is there twice."""
    rows = all_rows(client, f"SELECT {', '.join(RUN_COLUMNS)} FROM settlement_runs", {})
    runs = sorted((Run(*row) for row in rows), key=lambda run: (run.size, run.run))
    seen: set[tuple[date, str]] = set()
    for run in runs:
        if (run.period_start, run.run) in seen:
            raise ConfigurationError(
                f"run {run.name} is in settlement_runs twice: somebody wrote to that table. Which"
                " of them was given out, the bills that were sent say (head, root)"
            )
        seen.add((run.period_start, run.run))
    return runs


def run_of(runs: Sequence[Run], period_start: date, name: str) -> Run | None:
    """A run, if it was made."""
    return next((one for one in runs if (one.period_start, one.run) == (period_start, name)), None)


def made_of(runs: Sequence[Run], period_start: date) -> dict[str, Run]:
    """The runs that were made of a month, in their order."""
    found = {one.run: one for one in runs if one.period_start == period_start}
    return {name: found[name] for name in RUNS if name in found}


def read_bills(client: Client, run: Run) -> list[StoredBill]:
    """The bills of a run, in the order of the log, held against what the run says of them.

    Raises `ConfigurationError` where they are others.
    """
    rows = all_rows(
        client,
        "SELECT tenant, place, leaf, bill_sha256 FROM settlement_bills"
        " WHERE period_start = {start:Date} AND run = {run:String} AND attempt = {attempt:String}",
        {"start": run.period_start, "run": run.run, "attempt": run.attempt},
    )
    bills = sorted((StoredBill(run, *row) for row in rows), key=lambda bill: bill.place)
    if content_of([bill.bill_sha256 for bill in bills]) != run.content:
        raise ConfigurationError(
            f"the bills of {run.name} in settlement_bills are not those that were settled: restore"
            " that table from a backup"
        )
    return bills


def content_of(hashes: Sequence[str]) -> str:
    """What stands for all bills of a run."""
    return sha256("\n".join(hashes).encode())


def read_bill(client: Client, bill: StoredBill) -> bytes:
    """A bill's file, byte for byte. Raises `ConfigurationError` where it is another."""
    run = bill.run
    rows = all_rows(
        client,
        "SELECT bill FROM settlement_bills WHERE period_start = {start:Date} AND run = {run:String}"
        " AND tenant = {tenant:String} AND attempt = {attempt:String}",
        {
            **{"start": run.period_start, "run": run.run},
            **{"tenant": bill.tenant, "attempt": run.attempt},
        },
    )
    content = str(rows[0][0]).encode() if len(rows) == 1 else b""
    if sha256(content) != bill.bill_sha256:
        raise ConfigurationError(
            f"the bill of {bill.tenant!r}, {run.name}, in settlement_bills is not the one that was"
            " settled: restore that table from a backup"
        )
    return content


def read_log(client: Client, runs: Sequence[Run]) -> Tree:
    """The Merkle log of all runs, held against the head of the last one.

    Raises `ConfigurationError` where it is another.
    """
    tree = Tree()
    for run in runs:
        bills = read_bills(client, run)
        places = [bill.place for bill in bills]
        if run.first_place != len(tree) or places != list(range(len(tree), run.size)):
            raise _log_changed(run)
        for bill in bills:
            tree.add(bytes.fromhex(bill.leaf))
        if tree.root().hex() != run.root:
            raise _log_changed(run)
    return tree


def _log_changed(run: Run) -> ConfigurationError:
    return ConfigurationError(
        f"the Merkle log in settlement_runs and settlement_bills is not the one that {run.name} was"
        " signed with: restore both tables from one backup"
    )


def write_bill(client: Client, row: Sequence[Any]) -> None:
    """Insert a bill, in `BILL_COLUMNS`; it holds once its run is written."""
    with mapped_errors():
        client.insert(
            "settlement_bills", [row], column_names=list(BILL_COLUMNS), settings=INSERT_SETTINGS
        )


def write_run(client: Client, run: Run) -> None:
    """Insert a run, behind its bills."""
    row = [getattr(run, name) for name in RUN_COLUMNS]
    with mapped_errors():
        client.insert(
            "settlement_runs", [row], column_names=list(RUN_COLUMNS), settings=INSERT_SETTINGS
        )


@contextmanager
def alone(client: Client, now: datetime) -> Iterator[None]:
    """Keep all others from settling meanwhile: two would go on from one place of the log.

    By a table, which only one can make. Raises `ConfigurationError` where another settles.
    """
    try:
        with mapped_errors():
            client.command(
                f"CREATE TABLE {_LOCK} (taken DateTime64(3, 'UTC')) ENGINE = Memory"
                f" COMMENT 'taken {now:%Y-%m-%dT%H:%M:%SZ}'"
            )
    except WattokenError as error:
        cause = error.__cause__
        if isinstance(cause, DatabaseError) and cause.code == _TABLE_EXISTS:
            raise ConfigurationError(
                f"another `wattoken settle` is at work, {_taken(client)}: wait for it. If it was"
                f" killed, DROP TABLE {client.database}.{_LOCK} and run this again"
            ) from None
        raise
    try:
        yield
    finally:
        with mapped_errors():
            client.command(f"DROP TABLE IF EXISTS {_LOCK} SYNC")


def _taken(client: Client) -> str:
    text = (
        "SELECT comment FROM system.tables WHERE database = currentDatabase()"
        " AND name = {name:String}"
    )
    rows = all_rows(client, text, {"name": _LOCK})
    return str(rows[0][0]) if rows else "taken just now"
