"""Prices in several currencies on a real ClickHouse: kept apart, and converted by dated rates only.

An oracle in plain fractions, which shares no code with views or statements.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from services.billing.statement_csv import ENCODING
from services.exporter.queries import read_bills, read_catalogue
from tests.versions.database import Database, DatabaseFactory

SOURCE = "source: a bank, source_date: 2026-06-01"
REGIONS = """\
version: test
regions:
  - region: r
    country: DE
    time_zone: UTC
    capacity_tokens_per_second: 1
    source: s
    source_date: 2026-01-01
"""
PRICES = "uncached_input: {0}, cache_read: {0}, cache_write: {0}, output: {0}, reasoning: {0}"
#: Model, currency, price of a million tokens, and of a thousand searches.
MODELS = {
    "dollars": ("USD", "1.5", "10"),
    "yuan": ("CNY", "8.000000001", "35.5"),
    "euros": ("EUR", "0.000000007", None),
}
TOKENS = {"dollars": 10**15 + 1, "yuan": 3 * 10**14 + 7, "euros": 5, "nothing": 9}
RATES = f"""\
version: test
max_age_days: 3
rates:
  - {{from: CNY, to: USD, date: 2026-05-29, rate: 0.140512345678, {SOURCE}}}
  - {{from: CNY, to: USD, date: 2026-06-01, rate: 9, {SOURCE}}}
  - {{from: EUR, to: USD, date: 2026-05-31, rate: 1.09, {SOURCE}}}
  - {{from: USD, to: CNY, date: 2026-05-31, rate: 7.11, {SOURCE}}}
"""


def tariff(model: str, currency: str, price: str, searches: str | None) -> str:
    units = "" if searches is None else f", units: {{web_searches: {searches}}}"
    since = "valid_from: 2026-01-01, source: s, source_date: 2026-01-01"
    prices = f"prices: {{flat: {{{PRICES.format(price)}}}}}"
    return (
        f"  - tariff: {model}\n    provider: p\n    model: {model}\n    region: '*'\n"
        f"    versions: [{{{since}, currency: {currency}{units}, {prices}}}]\n"
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    tariffs = "".join(tariff(model, *prices) for model, prices in MODELS.items())
    (folder / "tariffs.yaml").write_text(f"version: test\ntariffs:\n{tariffs}")
    (folder / "rates.yaml").write_text(RATES)
    (folder / "regions.yaml").write_text(REGIONS)
    return folder


@pytest.fixture(scope="module")
def database(databases: DatabaseFactory, catalogue: Path) -> Database:
    """Four tenants: of all currencies, of yuan only, of nothing priced, and of no token."""
    database = databases("currencies", catalogue)
    with database.connect() as client:
        for table in ("slices_hour", "slices_unit", "adjustments"):
            client.command(f"ALTER TABLE {table} REMOVE TTL")
        series = [("r", "p", model, "usage", "log", 0, 1) for model in TOKENS]
        names = ["region", "provider", "model", "entry", "log", "partition", "version"]
        client.insert("slices_register", series, column_names=names)
        hour = datetime(2026, 5, 6, 7, tzinfo=UTC)
        used = [("all", model, tokens) for model, tokens in TOKENS.items()]
        used += [("yuan", "yuan", TOKENS["yuan"]), ("unpriced", "nothing", 4), ("idle", "yuan", 0)]
        rows = [(hour, tenant, "r", "p", *one, "usage", "log", 0, 1, 1) for tenant, *one in used]
        columns = ["window_start", "tenant", "region", "provider", "model", "output_tokens"]
        columns += ["entry", "log", "partition", "version", "requests"]
        client.insert("slices_hour", rows, column_names=columns)
        rows = [(*rows[1][:5], 3, "credit", "log", 0, 1, 0)]
        client.insert("slices_hour", rows, column_names=columns)
        # Of the credit, only the event of two of its three tokens is known.
        why = ("all", hour, hour, "credit", "desk", "c-1", "req-1", "流中断", "r", "p", "yuan", 2)
        names_of_why = ["tenant", "window_start", "event_time", "entry", "source", "id", "adjusts"]
        names_of_why += ["reason", "region", "provider", "model", "output_tokens"]
        client.insert("adjustments", [why, why], column_names=names_of_why)
        searches = [(hour, "all", "r", "p", "yuan", "usage", "web_searches", "log", 0, 1, 12)]
        names = ["window_start", "tenant", *names[:4], "unit", *names[4:], "quantity"]
        client.insert("slices_unit", searches, column_names=names)
    return database


@pytest.fixture
def client(database: Database) -> Iterator[Client]:
    with database.connect() as client:
        yield client


def expected() -> dict[str, Fraction]:
    """What the tenant of all currencies owes in each."""
    owed: dict[str, Fraction] = defaultdict(Fraction)
    for model, (currency, price, _) in MODELS.items():
        owed[currency] += TOKENS[model] * Fraction(price) / 10**6
    owed["CNY"] += 12 * Fraction("35.5") / 1000 - 3 * Fraction("8.000000001") / 10**6
    return owed


def test_charges_are_in_the_currency_of_their_tariff_and_usd_is_usd(client: Client) -> None:
    rows = client.query(
        "SELECT model, entry, unit, currency, price, amount, usd_per_million_tokens,"
        " usd_per_thousand_units, amount_usd FROM charges WHERE tenant = 'all'"
    ).result_rows
    found: dict[str, Fraction] = defaultdict(Fraction)
    for model, _, unit, currency, price, amount, usd_tokens, usd_units, usd in rows:
        if model == "nothing":
            assert (currency, price, amount, usd_tokens, usd) == ("", None, None, None, None)
            continue
        wanted, tokens_price, units_price = MODELS[model]
        assert (currency, price) == (wanted, Decimal((units_price if unit else tokens_price) or 0))
        assert (usd_tokens, usd_units, usd) == (
            (price, None, amount) if currency == "USD" else (None, None, None)
        )
        found[currency] += Fraction(amount)
    assert found == expected()


def test_a_statement_has_a_total_of_each_currency_and_none_of_several(client: Client) -> None:
    rows = client.query(
        "SELECT tenant, currency, tokens, amount, amount_usd FROM statements WHERE line = 'total'"
    ).result_rows
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for tenant, currency, tokens, amount, usd in rows:
        assert usd == (amount if currency == "USD" else None)
        found[tenant][currency] = (tokens, Fraction(amount))
    owed = expected()
    yuan = TOKENS["yuan"] * Fraction("8.000000001") / 10**6
    assert found == {
        # What is unpriced is counted once, in the first of them.
        "all": {
            "USD": (TOKENS["dollars"] + TOKENS["nothing"], owed["USD"]),
            "CNY": (TOKENS["yuan"], owed["CNY"]),
            "EUR": (TOKENS["euros"], owed["EUR"]),
        },
        "yuan": {"CNY": (TOKENS["yuan"], yuan)},
        "unpriced": {"USD": (4, 0)},
        "idle": {"USD": (0, 0)},
    }


def test_lines_of_a_statement_add_up_to_the_total_of_their_currency(client: Client) -> None:
    rows = client.query(
        "SELECT tenant, currency, sumIf(amount, line != 'total'), sumIf(amount, line = 'total')"
        " FROM statements WHERE currency != '' GROUP BY tenant, currency"
    ).result_rows
    for tenant, currency, lines, total in rows:
        assert (lines or 0) == total, (tenant, currency)


def test_current_prices_and_the_table_say_their_currency(client: Client) -> None:
    rows = client.query(
        "SELECT model, currency, price, usd_per_million_tokens FROM current_prices"
        " WHERE token_class = 'output'"
    ).result_rows
    assert {row[0]: row[1:] for row in rows} == {
        model: (currency, Decimal(price), Decimal(price) if currency == "USD" else None)
        for model, (currency, price, _) in MODELS.items()
    }


def test_the_exporter_takes_no_other_currency_for_usd(client: Client) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [
        (hour, "now", "r", "p", model, 10**6, "usage", "log", 0, 1) for model in ("yuan", "dollars")
    ]
    names = ["window_start", "tenant", "region", "provider", "model", "output_tokens", "entry"]
    client.insert("slices_hour", rows, column_names=[*names, "log", "partition", "version"])
    bills = {one.series.model: one.usd for one in read_bills(client)}
    assert bills == {"dollars": Decimal("1.5")}
    assert {one.model for one in read_catalogue(client).prices} == {"dollars"}


def test_a_release_without_currencies_writes_prices_in_usd(client: Client) -> None:
    client.command("CREATE TABLE old_tariffs AS tariffs")
    try:
        row = ("t", "output", "1.25", "1.25")
        client.command(
            "INSERT INTO old_tariffs (tariff_id, token_class, usd_per_million_tokens)"
            f" VALUES ('{row[0]}', '{row[1]}', {row[2]})"
        )
        found = client.query("SELECT currency, price FROM old_tariffs").result_rows
        assert found == [("USD", Decimal("1.25"))]
    finally:
        client.command("DROP TABLE old_tariffs SYNC")


def test_a_bill_converts_by_the_rate_of_the_months_last_day(database: Database) -> None:
    bill = json.loads(database.run("statement", "all", "2026-05", "--json"))
    owed, rate = expected(), {"CNY": "0.140512345678", "EUR": "1.09"}
    total = owed["USD"] + sum(owed[name] * Fraction(text) for name, text in rate.items())
    assert Fraction(bill["total"]) == total
    assert {one["from"]: (one["rate"], one["date"]) for one in bill["rates"]} == {
        "CNY": ("0.140512345678", "2026-05-29"),
        "EUR": ("1.090000000000", "2026-05-31"),
    }
    cents = (total * 100 + Fraction(1, 2)).__floor__()
    assert Fraction(bill["due"]) == Fraction(cents, 100)
    assert bill["unpriced_tokens"] == 9
    for line in bill["lines"]:
        if line.get("currency") == "CNY":
            assert (line["rate"]["source"], line["rate"]["source_date"]) == ("a bank", "2026-06-01")


def test_a_credit_says_what_it_corrects_and_why_as_far_as_is_known(database: Database) -> None:
    bill = json.loads(database.run("statement", "all", "2026-05", "--json"))
    rest, known = bill["adjusting_events"]
    assert (known["event_id"], known["adjusts"], known["reason"]) == ("c-1", "req-1", "流中断")
    assert (known["tokens"], Decimal(known["amount"])) == (2, -2 * Decimal("0.000008000000001"))
    assert "event_id" not in rest
    assert (rest["tokens"], Decimal(rest["amount"])) == (1, -Decimal("0.000008000000001"))
    made = Decimal(known["amount"]) + Decimal(rest["amount"])
    (line,) = (one for one in bill["lines"] if one["kind"] == "adjustment")
    assert made == Decimal(line["amount"])


def test_the_bills_of_all_and_who_has_none_for_want_of_a_rate(
    database: Database, tmp_path: Path
) -> None:
    out = tmp_path / "usd"
    said = database.run("statement", "--all", "2026-05", "--out", str(out), "--format", "csv")
    assert f"4 statements in {out}" in said
    with (out / "statements.csv").open(encoding=ENCODING, newline="") as file:
        bills = {row["tenant"]: row for row in csv.DictReader(file)}
    assert {name: row["currency"] for name, row in bills.items()} == dict.fromkeys(bills, "USD")
    assert (bills["idle"]["due"], bills["unpriced"]["due"]) == ("0.00", "0.00")
    assert bills["unpriced"]["unpriced_tokens"] == "4"
    with (out / "lines.csv").open(encoding=ENCODING, newline="") as file:
        sums: dict[str, Fraction] = defaultdict(Fraction)
        for row in csv.DictReader(file):
            sums[row["tenant"]] += Fraction(row["billed_amount"] or 0)
    for name in ("all", "yuan"):
        assert sums[name] == Fraction(bills[name]["due"])
    with pytest.raises(AssertionError, match="no rate of CNY to EUR for 2026-05-31"):
        database.run("statement", "yuan", "2026-05", "--currency", "EUR")


def test_whoever_was_not_metered_has_no_statement(database: Database) -> None:
    with pytest.raises(AssertionError, match="'stranger' was not metered in 2026-05; who was: all"):
        database.run("statement", "stranger", "2026-05")
    idle = json.loads(database.run("statement", "idle", "2026-05", "--json"))
    assert (idle["lines"], idle["due"]) == ([], "0.00")
    assert date.fromisoformat(idle["period_start"]) == date(2026, 5, 1)
