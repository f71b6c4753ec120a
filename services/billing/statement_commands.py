"""`wattoken statement`: the edges that read the database, print bills and write them to files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from clickhouse_connect.driver.client import Client

from schemas.catalogue.currencies import DECIMALS
from services.billing.bill import Bill, make_bill
from services.billing.exact import total, written
from services.billing.periods import Period, parse_period
from services.billing.rates import RateBook, RateMissingError
from services.billing.settings import BillingSettings, read_terms
from services.billing.statement import Statement
from services.billing.statement_files import BillFolder, BillWriter
from services.billing.statement_json import document
from services.billing.statement_queries import (
    TENANTS_AT_ONCE,
    read_rates,
    read_statement,
    read_statements,
    read_tenants,
)
from services.billing.statement_rows import BillRow
from services.billing.statement_table import print_statement
from services.billing.terms import StatementSettings, terms_of
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.progress import ProgressShown
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings
from services.platform.terminal import console

#: Of those that could not be made, so many are named.
FAILURES_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What statements are asked for: ``currency`` and ``issued`` go before what is usual."""

    period: Period
    now: datetime
    currency: str | None
    issued: date

    @classmethod
    def of(cls, period: str, currency: str | None, issued: date | None) -> Request:
        """Check what was given. Raises `ConfigurationError`."""
        if currency is not None and currency not in DECIMALS:
            raise ConfigurationError(f"{currency!r} is no currency of ISO 4217, such as USD or CNY")
        now = datetime.now(UTC)
        return cls(parse_period(period), now, currency, issued or now.date())

    def bill(self, statement: Statement, settings: StatementSettings, rates: RateBook) -> Bill:
        """Make the bill of a statement. Raises `RateMissingError`."""
        terms = terms_of(
            settings,
            statement.tenant,
            statement.period_start,
            issued=self.issued,
            currency=self.currency,
            preliminary=statement.running,
        )
        return make_bill(statement, terms, rates, self.now.date())


def show_statement(
    tenant: str, request: Request, *, as_json: bool, files: Mapping[str, Path]
) -> None:
    """Print a statement, or write it to files, by format.

    Raises `ConfigurationError` where there is none, a rate is missing, or a format cannot be
    written here; `UnavailableError`.
    """
    settings = read_settings(BillingSettings)
    terms = read_terms(settings.statement_settings_file)
    writer = BillWriter(files, settings.statement_font_dir)
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        rates = read_rates(client)
        statement = read_statement(client, tenant, request.period, request.now)
    bill = request.bill(statement, terms, rates)
    for kind, path in files.items():
        writer.write(bill, kind, path)
        say(f"{path}: {path.stat().st_size:,} bytes", err=True)
    _say_missing(writer)
    if as_json:
        print(json.dumps(document(bill), indent=2))
    elif not files:
        print_statement(bill, console())


def write_statements(request: Request, folder: Path, formats: Sequence[str]) -> bool:
    """Write the statements of all tenants of a period to a folder; whether all could be made.

    Raises `ConfigurationError` and `UnavailableError`.
    """
    settings = read_settings(BillingSettings)
    terms = read_terms(settings.statement_settings_file)
    writer = BillWriter(formats, settings.statement_font_dir)
    failures: list[str] = []
    numbers: dict[str, str] = {}
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        rates, tenants = read_rates(client), read_tenants(client, request.period)
        bills = BillFolder(folder, formats, writer)
        with ProgressShown("statements", len(tenants)) as progress:
            for done, statement in enumerate(_statements(client, tenants, request), 1):
                try:
                    bill = request.bill(statement, terms, rates)
                except RateMissingError as error:
                    failures.append(f"{statement.tenant}: {error}")
                else:
                    _note_number(numbers, bill)
                    bills.add(bill)
                progress.update(done)
    _say_missing(writer)
    _say_sums(bills.finish(), folder)
    for failure in failures[:FAILURES_SHOWN_MAX]:
        say(f"no statement of {failure}", err=True)
    if failures:
        say(f"{len(failures):,} of {len(tenants):,} statements could not be made", err=True)
    return not failures


def _statements(client: Client, tenants: Sequence[str], request: Request) -> Iterator[Statement]:
    for first in range(0, len(tenants), TENANTS_AT_ONCE):
        chunk = tenants[first : first + TENANTS_AT_ONCE]
        yield from read_statements(client, chunk, request.period, request.now)


def _note_number(numbers: dict[str, str], bill: Bill) -> None:
    """Raise `ConfigurationError` where two tenants would have one number."""
    tenant, number = bill.statement.tenant, bill.terms.number
    if number is not None and numbers.setdefault(number, tenant) != tenant:
        raise ConfigurationError(
            f"invoice number {number} is of {numbers[number]!r} and of {tenant!r}: give them codes"
            " of their own in WATTOKEN_STATEMENT_SETTINGS_FILE"
        )


def _say_missing(writer: BillWriter) -> None:
    if writer.missing:
        names = ", ".join(f"U+{ord(one):04X}" for one in sorted(writer.missing)[:10])
        say(
            f"warning: no font has {names}: PDFs show such numbers in their place; name a folder"
            " with fonts in WATTOKEN_STATEMENT_FONT_DIR",
            err=True,
        )


def _say_sums(rows: Sequence[BillRow], folder: Path) -> None:
    """Say what was written, the amounts of each currency by themselves."""
    say(f"{len(rows):,} statements in {folder}")
    counts = Counter(row.currency for row in rows)
    for currency in sorted(counts):
        due: Decimal = total(row.due for row in rows if row.currency == currency)
        amount = written(due, DECIMALS[currency])
        say(f"{currency} {amount} due on {counts[currency]:,} of them, credits taken off")
    tokens = sum(row.unpriced_tokens for row in rows)
    if tokens:
        say(f"not in it: {tokens:,} tokens that no price fits")
