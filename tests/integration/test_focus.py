"""FOCUS datasets from a real ClickHouse: each row as the oracle has it, and sums to the digit."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.billing.focus import charge_queries, commands
from services.billing.focus.csv_file import text
from services.cli import app
from services.platform.errors import ConfigurationError, UnavailableError
from tests.integration import metered_database, test_billing, test_currencies
from tests.integration.billing_oracle import Reading, charges_of_readings, demand_of_readings
from tests.integration.patient_meter import patient, run
from tests.integration.test_billing import REGIONS, SERIES, Meter, readings, tokens
from tests.versions.database import Database, DatabaseFactory
from tests.versions.effort import examples

Rows = list[dict[str, str]]


billing_meter = test_billing.meter
catalogue = test_currencies.catalogue
currencies = test_currencies.database


@pytest.fixture(scope="module")
def meter(billing_meter: Meter) -> Iterator[Meter]:
    with patient(billing_meter) as found:
        yield found


@pytest.fixture
def here(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> Meter:
    """The meter's database is the one that commands read."""
    for name, value in meter.database.env.items():
        monkeypatch.setenv(name, value)
    return meter


def export(path: Path, month: str, tenant: str | None = None, **options: Any) -> Rows:
    given: dict[str, Any] = {"grain": "hour", "format": "csv", "refuse_unpriced": False} | options
    commands.export_focus(month, out=path, tenant=tenant, issuer=None, as_json=False, **given)
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def exported(path: Path, months: set[str], tenant: str, grain: str) -> Rows:
    rows = []
    for month in sorted(months):
        try:
            rows += export(path, month, tenant, grain=grain)
        except ConfigurationError as error:
            assert "charges in" in str(error)
    return rows


def number(text: str) -> Fraction | None:
    return Fraction(text) if text else None


def key_of(row: dict[str, str]) -> tuple[Any, ...]:
    band = row["x_ContextBand"]
    labels = (row["RegionId"], row["ServiceProviderName"], row["x_ModelName"], row["x_Entry"])
    priced = (row["x_TimeOfUsePeriod"], row["x_TariffId"], number(row["ListUnitPrice"]))
    kind = (row["x_ServiceTier"], int(band), row["x_Unit"], row["x_TokenClass"])
    return row["ChargePeriodStart"], *labels, *kind, *priced


def expected_rows(
    meter: Meter, readings: list[Reading], tenant: str, grain: str
) -> dict[Any, list[Fraction]]:
    found: dict[Any, list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
    for key, charge in charges_of_readings(meter.catalogue, readings).items():
        hour, of, *labels, tier, band, unit, name = key
        period, tariff, quantity, price, amount = charge
        if of != tenant:
            continue
        start = hour if grain == "hour" else hour.replace(hour=0)
        priced = ("", "", None) if price is None else (period, tariff, price)
        row = found[(f"{start:%Y-%m-%dT%H:%M:%SZ}", *labels, tier, band, unit, name, *priced)]
        row[0] += -quantity if key[5] == "credit" else quantity
        row[1] += amount or 0
    return dict(found)


def found_rows(rows: Rows) -> dict[Any, list[Fraction]]:
    found: dict[Any, list[Fraction]] = {}
    for row in rows:
        if row["SkuMeter"] == "Peak Demand":
            continue
        key = key_of(row)
        assert key not in found, "two rows for one SKU, price and charge period"
        found[key] = [Fraction(row["ConsumedQuantity"]), Fraction(row["BilledCost"])]
    return found


def statement_total(meter: Meter, tenant: str) -> Decimal:
    answer = meter.client.query(
        "SELECT ifNull(sum(amount_usd), 0) FROM statements"
        " WHERE tenant = {tenant:String} AND line = 'total'",
        parameters={"tenant": tenant},
    )
    return Decimal(answer.result_rows[0][0])


def agree(meter: Meter, path: Path, given: list[Reading], grain: str) -> None:
    fresh = meter.store(given)
    for name, tenant in fresh.items():
        months = {f"{one.hour:%Y-%m}" for one in given if one.tenant == name}
        rows = exported(path, months, tenant, grain)
        assert found_rows(rows) == expected_rows(meter, given, name, grain)
        demand: dict[Any, Fraction] = {}
        for charge in meter.catalogue.tariffs.demand_charges:
            for (month, of), (used, _) in demand_of_readings(given, charge.region).items():
                begin = datetime(month.year, month.month, 1, tzinfo=UTC)
                if of == name and charge.valid_from <= begin < charge.valid_to:
                    key = f"{begin:%Y-%m-%dT%H:%M:%SZ}", charge.demand_charge
                    demand[key] = used // 3600 * Fraction(charge.usd_per_token_per_second)
        assert demand == {
            (row["ChargePeriodStart"], row["x_TariffId"]): Fraction(row["BilledCost"])
            for row in rows
            if row["SkuMeter"] == "Peak Demand"
        }
        total = sum((Fraction(row["BilledCost"]) for row in rows), Fraction(0))
        assert total == Fraction(statement_total(meter, tenant))


@settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(readings(), min_size=1, max_size=60), st.sampled_from(["hour", "day"]))
def test_rows_are_the_oracles_and_sum_to_the_statements(
    here: Meter, tmp_path_factory: pytest.TempPathFactory, given: list[Reading], grain: str
) -> None:
    agree(here, tmp_path_factory.mktemp("focus") / "focus.csv", given, grain)


def telling(hours: int) -> list[Reading]:
    """Usage, a debit and a credit of every series in every region, at prices of many kinds."""
    classes = tokens(1000, 20, 30, 400, 50) | {"audio_input": 7, "cache_write_1h": 8}
    return [
        Reading(
            *("a", datetime(2026, 7, 20, hour, tzinfo=UTC), region, *series, entry, 0, classes),
            *(tier, band),
            units={"web_searches": 3, "audio_milliseconds": 1500},
        )
        for hour, region, series, entry, (tier, band) in itertools.product(
            range(hours),
            REGIONS,
            SERIES,
            ("usage", "debit", "credit"),
            (("", 0), ("batch", 272_000), ("scale", 0)),
        )
    ]


@pytest.fixture(scope="module")
def dataset(meter: Meter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with rows of every kind."""
    tenant = meter.store(telling(2))["a"]
    path = tmp_path_factory.mktemp("dataset") / "focus.csv"
    arguments = ("2026-07", "--tenant", tenant, "--out", str(path), "--by", "hour", "--json")
    said = json.loads(run(meter, "focus", *arguments))
    assert said["complete"] and said["unpriced"] > 0
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert said["rows"] == len(rows)
    (cost,) = said["billed_cost"].values()
    assert Decimal(cost) == sum(Decimal(row["BilledCost"]) for row in rows)
    return path


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_rows_of_every_kind(dataset: Path) -> None:
    rows = rows_of(dataset)
    assert {row["ConsumedUnit"] for row in rows} == {
        *("Tokens", "Web Searches", "Milliseconds", "Tokens/Second")
    }
    assert {row["ChargeClass"] for row in rows} == {"", "Correction"}
    for row in rows:
        if not row["ListUnitPrice"]:
            assert Fraction(row["BilledCost"]) == 0
            continue
        cost = Fraction(row["ListUnitPrice"]) * Fraction(row["PricingQuantity"])
        assert cost == Fraction(row["BilledCost"]) == Fraction(row["ListCost"])
    details = defaultdict(set)
    for row in rows:
        details[row["SkuPriceId"]].add((row["SkuId"], row["SkuMeter"], row["SkuPriceDetails"]))
    assert {len(one) for one in details.values()} == {1}, "one SKU and its details for a price id"


def test_the_metadata_describe_the_file(dataset: Path) -> None:
    found = json.loads(dataset.with_name("focus.csv.metadata.json").read_text())
    names = [one["ColumnName"] for one in found["Schema"][0]["ColumnDefinition"]]
    assert names == list(rows_of(dataset)[0])


def test_a_linter_of_focus_1_4_finds_only_what_has_no_price(dataset: Path) -> None:
    if importlib.util.find_spec("focus_data_toolkit") is None:
        pytest.skip("focus-data-toolkit, which lints FOCUS 1.4, is not installed")
    linter = importlib.import_module("focus_data_toolkit.model.validator")
    rows = rows_of(dataset)
    conditions = ("SupportsUnitPricing",)
    report = linter.lint_focus_1_4_structure(
        "Cost and Usage", rows, supported_conditions=conditions
    )
    unpriced = {number for number, row in enumerate(rows) if not row["ListUnitPrice"]}
    assert unpriced and len(unpriced) < len(rows)
    assert {(one.rule, one.row_index) for one in report.violations} == {
        ("required_with_sku_price_id", number) for number in unpriced
    }


#: What holds of Wattoken, of the conditions that FOCUS 1.2 has for rules.
CRITERIA = (
    *("ACCOUNT_NAMING_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED", "UNIT_PRICING_SUPPORTED"),
    *("USAGE_MEASUREMENT_SUPPORTED", "REGION_SUPPORTED"),
)


def write_1_2(path: Path, rows: Rows) -> None:
    """Without the columns that came later, and with the two that were there before.

    The validator takes a column of whole numbers for integers, and asks for one of commitments.
    """
    for row in rows:
        row["ConsumedQuantity"] += ".0"
        row["CommitmentDiscountStatus"] = row["InvoiceId"] = ""
        row["ProviderName"] = row["InvoiceIssuerName"]
        row["PublisherName"] = row["ServiceProviderName"]
        del row["HostProviderName"], row["ServiceProviderName"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, sorted(rows[0], key=lambda name: (name[:2] == "x_", name)))
        writer.writeheader()
        writer.writerows(rows)


def test_the_validator_of_focus_passes_what_1_2_has_of_it(dataset: Path, tmp_path: Path) -> None:
    """It knows 1.2 where it has no network."""
    validator = shutil.which("focus-validator")
    if validator is None:
        pytest.skip("focus-validator (Python 3.12 or newer) is not on the PATH")
    older = tmp_path / "focus_1_2.csv"
    write_1_2(older, [row for row in rows_of(dataset) if row["ListUnitPrice"]])
    done = subprocess.run(
        [
            *(validator, "--data-file", str(older), "--validate-version", "1.2"),
            *("--block-download", "--applicability-criteria", ",".join(CRITERIA)),
        ],
        capture_output=True,
        text=True,
        check=False,
        # It finds a file of its own from there only.
        cwd=next(Path(validator).parents[1].glob("lib/python*/site-packages")),
        # It lives in an environment of its own.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    passed, failed = (
        set(re.findall(rf"^. ([\w-]+): {word}\b", done.stdout, re.MULTILINE))
        for word in ("PASS", "FAIL")
    )
    assert len(passed) > 200
    # Of charges that are on an invoice; whether they are, it does not ask.
    assert failed <= {"InvoiceId-C-005-C"}, done.stdout[-6000:]


def test_tokens_of_all_tenants_are_those_of_the_registers(
    databases: DatabaseFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, now = databases("registers"), int(time.time())
    metered = metered_database.meter(database, now)
    metered.sink.close()
    for name, value in database.env.items():
        monkeypatch.setenv(name, value)
    found: dict[Any, int] = defaultdict(int)
    months = {f"{datetime.fromtimestamp(one.time, UTC):%Y-%m}" for one in metered.events}
    for month in sorted(months):
        for row in export(tmp_path / "focus.csv", month, grain="day"):
            if row["ConsumedUnit"] == "Tokens" and not row["ChargeClass"]:
                key = row["RegionId"], row["ServiceProviderName"], row["x_ModelName"]
                found[key] += int(row["ConsumedQuantity"])
    with database.connect() as client:
        registers = client.query(
            "SELECT region, provider, model, input_tokens + output_tokens FROM registers"
        ).result_rows
    assert found == {tuple(labels): count for *labels, count in registers}


def test_all_tenants_are_in_one_file(here: Meter, tmp_path: Path) -> None:
    hour = datetime(2026, 4, 2, 3, tzinfo=UTC)
    place = (hour, "utc", "openai", "gpt-5.6-luna", "usage", 0)
    fresh = here.store([Reading("a", *place, {"output": 5}), Reading("b", *place, {"output": 7})])
    rows = export(tmp_path / "focus.csv", "2026-04")
    found = {
        row["BillingAccountId"]: row["ConsumedQuantity"]
        for row in rows
        if row["ConsumedUnit"] == "Tokens"
    }
    assert {tenant: found[tenant] for tenant in fresh.values()} == {
        fresh["a"]: "5",
        fresh["b"]: "7",
    }


def test_parquet_says_the_same_as_csv(
    here: Meter, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow: the extra `parquet`")
    rows = rows_of(dataset)
    path = tmp_path / "focus.parquet"
    monkeypatch.setattr(commands, "BLOCK_ROWS", 100)
    commands.export_focus(
        "2026-07",
        out=path,
        tenant=rows[0]["BillingAccountId"],
        grain="hour",
        format="parquet",
        issuer=None,
        refuse_unpriced=False,
        as_json=False,
    )
    file = pq.ParquetFile(path)
    assert file.num_row_groups > len(rows) // 100
    found = [{name: text(value) for name, value in row.items()} for row in file.read().to_pylist()]
    assert found == rows


def test_what_has_no_price_can_be_refused(here: Meter, dataset: Path, tmp_path: Path) -> None:
    tenant = rows_of(dataset)[0]["BillingAccountId"]
    with pytest.raises(ConfigurationError, match="tokens and units have no price"):
        export(tmp_path / "focus.csv", "2026-07", tenant, refuse_unpriced=True)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_of_a_month_without_charges(here: Meter, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'stranger' has no charges in 2026-07"):
        export(tmp_path / "focus.csv", "2026-07", "stranger")
    assert not list(tmp_path.iterdir())


def test_rows_that_do_not_sum_to_the_statement_are_thrown_away(
    here: Meter, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a stream ends before its end, which looks whole, or usage came in between."""
    tenant = rows_of(dataset)[0]["BillingAccountId"]
    held = charge_queries.charges

    def cut(*arguments: Any) -> Any:
        class Cut:
            def __enter__(self) -> Iterator[Any]:
                self.stream = held(*arguments)
                return itertools.islice(self.stream.__enter__(), 3)

            def __exit__(self, *error: Any) -> None:
                self.stream.__exit__(*error)

        return Cut()

    monkeypatch.setattr(charge_queries, "charges", cut)
    with pytest.raises(UnavailableError, match="the rows bill .* the statement"):
        export(tmp_path / "focus.csv", "2026-07", tenant)
    assert not list(tmp_path.iterdir())


def test_a_month_that_runs_is_written_as_it_is(here: Meter, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=now.hour)
    place = (hour, "utc", "openai", "gpt-5.6-luna", "usage", 0)
    tenant = here.store([Reading("a", *place, {"output": 5})])["a"]
    path = tmp_path / "focus.csv"
    (row,) = export(path, f"{now:%Y-%m}", tenant)
    assert row["ConsumedQuantity"] == "5"
    found = json.loads(path.with_name("focus.csv.metadata.json").read_text())
    assert found["Recency"][0]["TimeSectors"][0]["TimeSectorComplete"] is False


def test_prices_in_several_currencies_are_billed_in_that_of_the_statement(
    currencies: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the rates of the month's last day, exactly; the issuer is that of the statement."""
    terms = tmp_path / "terms.yaml"
    terms.write_text("version: test\nissuer: {name: Grid Ltd}\n", encoding="utf-8")
    monkeypatch.setenv("WATTOKEN_STATEMENT_SETTINGS_FILE", str(terms))
    for name, value in currencies.env.items():
        monkeypatch.setenv(name, value)
    rates = {"USD": Fraction(1), "CNY": Fraction("0.140512345678"), "EUR": Fraction("1.09")}
    rows = export(tmp_path / "focus.csv", "2026-05", "all")
    assert {row["BillingCurrency"] for row in rows} == {"USD"}
    assert {row["InvoiceIssuerName"] for row in rows} == {"Grid Ltd"}
    found: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        cost, price = Fraction(row["BilledCost"]), number(row["ListUnitPrice"])
        if price is not None:
            found[row["PricingCurrency"]] += cost
            assert price * Fraction(row["PricingQuantity"]) == cost
            rate = row["x_ExchangeRate"]
            assert Fraction(rate or 1) == rates[row["PricingCurrency"]]
    owed = test_currencies.expected()
    assert found == {currency: owed[currency] * rates[currency] for currency in owed}
    ran = CliRunner().invoke(app, ["statement", "all", "2026-05", "--json"])
    bill = json.loads(ran.stdout)
    assert sum(found.values()) == Fraction(bill["total"])


def test_a_rate_that_is_missing_leaves_no_file(
    currencies: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = tmp_path / "terms.yaml"
    terms.write_text("version: test\ncurrency: EUR\n", encoding="utf-8")
    monkeypatch.setenv("WATTOKEN_STATEMENT_SETTINGS_FILE", str(terms))
    for name, value in currencies.env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="no rate of .* to EUR for 2026-05-31"):
        export(tmp_path / "focus.csv", "2026-05", "all")
    assert [one.name for one in tmp_path.iterdir()] == ["terms.yaml"]
