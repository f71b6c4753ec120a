"""`wattoken focus`: the edge that reads charges, writes the files and says what is in them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib import metadata as installed
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from clickhouse_connect.driver.client import Client

from services.billing.exact import times, total
from services.billing.focus import charge_queries as queries
from services.billing.focus.accounts import Accounts
from services.billing.focus.charge_queries import Asked, Grain
from services.billing.focus.charge_rows import demand_row, plain, usage_row
from services.billing.focus.columns import FocusRow
from services.billing.focus.csv_file import CsvFile
from services.billing.focus.metadata import Delivery, document
from services.billing.focus.row_file import RowFile, whole_or_nothing
from services.billing.focus.tally import Tally
from services.billing.periods import parse_period
from services.billing.settings import BillingSettings, read_terms
from services.billing.statement_queries import read_rates
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.output import say
from services.platform.progress import ProgressShown
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings

Format = Literal["csv", "parquet"]
#: Rows that are held at once, and in a row group of Parquet.
BLOCK_ROWS: Final = 20_000
#: A month of all tenants is grouped before its first row comes.
ANSWER_SECONDS: Final = 3600.0
SHOWN_DIFFERENCES: Final = 3
#: Who sends the invoices where neither terms nor options say it.
NO_ISSUER: Final = "Wattoken"


@dataclass(frozen=True, slots=True)
class Export:
    """What is written, where and as what; ``issuer`` is who sends the invoices."""

    asked: Asked
    out: Path
    format: Format
    issuer: str
    accounts: Accounts
    refuse_unpriced: bool


def export_focus(
    period: str,
    *,
    out: Path,
    tenant: str | None,
    grain: Grain,
    format: Format,
    issuer: str | None,
    refuse_unpriced: bool,
    as_json: bool,
) -> None:
    """Write a month's charges as a FOCUS dataset, and its metadata beside it.

    Raises `ConfigurationError` if there are none, if a file cannot be written or, of a month that
    is over, if the rows do not sum to the statements; nothing is left at ``out`` then that was not
    there before.
    """
    month, read_at = parse_period(period), datetime.now(UTC)
    open_file = opener(format)
    running = month.is_running(read_at)
    terms = read_terms(read_settings(BillingSettings).statement_settings_file)
    if issuer is None:
        issuer = terms.issuer.name if terms.issuer is not None else NO_ISSUER
    settings = read_settings(ClickHouseSettings)
    with (
        migrated_database(settings, answer_seconds=ANSWER_SECONDS) as client,
        whole_or_nothing(out) as making,
    ):
        accounts = Accounts(terms, read_rates(client), month.days(read_at)[-1])
        asked = Asked(month.start, month.end, tenant, grain)
        export = Export(asked, out, format, issuer, accounts, refuse_unpriced)
        tally = _write(client, export, open_file(making))
        _refuse_what_is_wrong(client, export, tally, running=running)
    _write_metadata(export, read_at, running=running)
    _report(export, tally, running=running, as_json=as_json)


def _write(client: Client, export: Export, file: RowFile) -> Tally:
    period, tally = export.asked.period, Tally()
    with closing(file), ProgressShown("rows", None) as progress:
        with queries.charges(client, export.asked) as charges:
            rows = (usage_row(one, period, export.issuer, export.accounts) for one in charges)
            _pour(rows, file, tally, progress.update)
        demand = queries.demand_charges(client, export.asked)
        rows = (demand_row(one, period, export.issuer, export.accounts) for one in demand)
        _pour(rows, file, tally, progress.update)
    return tally


def _pour(
    rows: Iterable[FocusRow], file: RowFile, tally: Tally, show: Callable[[int], None]
) -> None:
    left = iter(rows)
    while block := list(islice(left, BLOCK_ROWS)):
        file.write(block)
        for row in block:
            tally.add(row)
        show(tally.rows)


def _refuse_what_is_wrong(client: Client, export: Export, tally: Tally, *, running: bool) -> None:
    asked = export.asked
    if tally.rows == 0:
        who = "nobody has" if asked.tenant is None else f"{asked.tenant!r} has no"
        raise ConfigurationError(f"{who} charges in {asked.start:%Y-%m}: nothing is written")
    if tally.unpriced and export.refuse_unpriced:
        raise ConfigurationError(
            f"{tally.unpriced:,} tokens and units have no price: see `wattoken tariffs check`"
        )
    if running:
        # Usage comes in while it is read: nothing that was read apart agrees.
        return
    found = tally.differences(_billed(client, export), queries.metered(client, asked))
    if found:
        shown = "; ".join(found[:SHOWN_DIFFERENCES])
        raise UnavailableError(
            f"{asked.start:%Y-%m} changed while it was read, or came in part: {shown}."
            " Nothing is written; run it again"
        )


def _billed(client: Client, export: Export) -> dict[str, Decimal]:
    """What each tenant's statement comes to, in its currency."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for tenant, currency, amount in queries.billed(client, export.asked):
        rate = export.accounts.rate(currency, export.accounts.of(tenant).currency)
        amount = amount if rate is None else times(amount, rate.rate)
        found[tenant] = total((found[tenant], amount))
    return found


def opener(format: Format) -> Callable[[Path], RowFile]:
    """What opens a file of this format; raises `ConfigurationError` where an extra is missing."""
    if format == "csv":
        return CsvFile
    try:
        from services.billing.focus.parquet_file import ParquetFile
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ConfigurationError(
            "Parquet needs pyarrow: pip install 'wattoken[parquet]' (in a clone `make setup`),"
            " or take --format csv"
        ) from error
    return ParquetFile


def metadata_path(out: Path) -> Path:
    """Where the metadata of a file are: beside it."""
    return out.with_name(f"{out.name}.metadata.json")


def _write_metadata(export: Export, read_at: datetime, *, running: bool) -> None:
    period = export.asked.period
    delivery = Delivery(
        grain=export.asked.grain,
        period_start=period.start,
        period_end=period.end,
        read_at=read_at,
        complete=not running,
        generator_version=installed.version("wattoken"),
    )
    with whole_or_nothing(metadata_path(export.out)) as making:
        making.write_text(json.dumps(document(delivery), indent=2) + "\n", encoding="utf-8")


def _report(export: Export, tally: Tally, *, running: bool, as_json: bool) -> None:
    costs = {currency: plain(cost) for currency, cost in tally.costs().items()}
    if as_json:
        found = {
            "file": str(export.out),
            "metadata_file": str(metadata_path(export.out)),
            "rows": tally.rows,
            "billed_cost": costs,
            "tokens": tally.tokens,
            "unpriced": tally.unpriced,
            "complete": not running,
        }
        print(json.dumps(found, indent=2))
        return
    billed = ", ".join(f"{currency} {cost}" for currency, cost in costs.items())
    say(f"{export.out}: {tally.rows:,} rows, {billed}, {tally.tokens:,} tokens")
    if running:
        say("the month is not over: what comes in later is not in it", err=True)
    if tally.unpriced:
        say(
            f"{tally.unpriced:,} tokens and units have no price: their rows bill 0 and have no unit"
            " price, which FOCUS asks for (docs/focus.md)",
            err=True,
        )
