"""`wattoken settle`: makes a run, or gives out one that was made."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from services.billing.periods import parse_period
from services.billing.statement_files import name_of, whole_file
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.progress import ProgressShown
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings
from services.settlement.cut import Cut, asked_cut
from services.settlement.freeze import Wanted
from services.settlement.freeze import settle as freeze
from services.settlement.runs import parse_run
from services.settlement.settings import SettlementSettings
from services.settlement.signer import read_signer
from services.settlement.store import Run, StoredBill, read_bill, read_bills, read_runs, run_of

#: Reading a month, and its prices, takes longer than an answer usually does.
ANSWER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Given:
    """What a command was given: ``offsets`` is a file, ``out`` a folder for the bills."""

    period: str
    run: str
    offsets: Path | None
    tenant: str | None
    out: Path | None
    as_json: bool


def settle(given: Given) -> None:
    """Make a run, or take the one that was made; print it, a bill of it, or write its bills.

    Raises `ConfigurationError` and `UnavailableError`.
    """
    period, name = parse_period(given.period), parse_run(given.run)
    cut = None if given.offsets is None else _read_cut(given.offsets)
    with migrated_database(
        read_settings(ClickHouseSettings), answer_seconds=ANSWER_SECONDS
    ) as client:
        run = run_of(read_runs(client), period.start, name)
        made = run is None
        if run is None:
            signer = read_signer(read_settings(SettlementSettings).settlement_key_file)
            wanted = Wanted(period, name, cut, datetime.now(UTC))
            with ProgressShown("bills", None) as bar:
                run = freeze(client, wanted, signer, lambda done: bar.update(done, None))
        _must_be_of(run, cut)
        bills = read_bills(client, run)
        if given.tenant is not None:
            _give_out(client, bills, given.tenant)
            return
        if given.out is not None:
            _write(client, bills, given.out)
    if given.as_json:
        print(json.dumps(_document(run, bills), indent=2))
    else:
        _say(run, bills, made=made)


def _read_cut(path: Path) -> Cut:
    try:
        return asked_cut(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the offset vector {path}: {error}") from None


def _must_be_of(run: Run, cut: Cut | None) -> None:
    """See that a run that is there is the one asked for. Raises `ConfigurationError`."""
    if cut is not None and cut.text != run.cut:
        raise ConfigurationError(
            f"{run.name} is settled, at other offsets than those given: a run is made once. Leave"
            " out --offsets, or settle the next run at them"
        )


def _give_out(client: Client, bills: Sequence[StoredBill], tenant: str) -> None:
    """Write a bill to the standard output, byte for byte."""
    bill = next((one for one in bills if one.tenant == tenant), None)
    if bill is None:
        named = ", ".join(repr(one.tenant) for one in bills[:10])
        raise ConfigurationError(f"{tenant!r} has no bill in this run; who has: {named}")
    sys.stdout.buffer.write(read_bill(client, bill))
    sys.stdout.buffer.flush()


def _write(client: Client, bills: Sequence[StoredBill], folder: Path) -> None:
    """Write all bills to a folder, each under its tenant's name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make the folder {folder}: {error.strerror}") from None
    for bill in bills:
        run = bill.run
        name = f"{run.period_start:%Y-%m}-{run.run}-{name_of(bill.tenant)}.json"
        with whole_file(folder / name) as part:
            part.write_bytes(read_bill(client, bill))


def _say(run: Run, bills: Sequence[StoredBill], *, made: bool) -> None:
    say(f"{run.name}: {'settled now' if made else 'was settled before, and is given as it was'}")
    say(f"  {len(bills):,} bills, cut {run.offsets.hash}")
    say(f"  prices {run.catalogue}")
    say(f"  log of {run.size:,} statements, root {run.root}")
    say(f"  signed with {run.public_key}")
    for bill in bills[:20]:
        say(f"  {bill.tenant}: {bill.bill_sha256}")
    if len(bills) > 20:
        say(f"  and {len(bills) - 20:,} more")


def _document(run: Run, bills: Sequence[StoredBill]) -> dict[str, Any]:
    offsets: dict[str, dict[str, int]] = {}
    for (log, partition), offset in sorted(run.offsets.offsets.items()):
        offsets.setdefault(log, {})[str(partition)] = offset
    return {
        "period": f"{run.period_start:%Y-%m}",
        "run": run.run,
        "cut": run.offsets.hash,
        "offsets": offsets,
        "catalogue": run.catalogue,
        "public_key": run.public_key,
        "log": {"size": run.size, "root": run.root},
        "content": run.content,
        "bills": {bill.tenant: bill.bill_sha256 for bill in bills},
    }
