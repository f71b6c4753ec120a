"""CSV: what is null, how numbers and times are written, and texts that need quotes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from services.billing.focus.columns import COLUMNS
from services.billing.focus.csv_file import CsvFile
from tests.unit.services.billing.focus.charges import CREDITED, UNPRICED, USED, row_of


def written(path: Path, *charges: object) -> list[dict[str, str]]:
    file = CsvFile(path)
    for charge in charges:
        file.write([row_of(charge)])  # type: ignore[arg-type]
    file.close()
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_row_reads_back(tmp_path: Path) -> None:
    (row,) = written(tmp_path / "focus.csv", USED)
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["BilledCost"], row["PricingQuantity"]) == ("12.34567", "1.234567")
    assert row["ChargePeriodStart"] == "2026-10-06T07:00:00Z"
    assert (row["ChargeClass"], row["x_ServiceTier"]) == ("", "")


def test_numbers_are_of_numeric_format(tmp_path: Path) -> None:
    credit, unpriced = written(tmp_path / "focus.csv", CREDITED, UNPRICED)
    assert (credit["ConsumedQuantity"], credit["PricingQuantity"]) == ("-100", "-0.0001")
    assert (unpriced["BilledCost"], unpriced["ListUnitPrice"]) == ("0", "")


def test_texts_stay_as_they_are(tmp_path: Path) -> None:
    tenant = 'a,"b"\r\n客户'
    (row,) = written(tmp_path / "focus.csv", replace(USED, tenant=tenant))
    assert row["BillingAccountId"] == tenant
