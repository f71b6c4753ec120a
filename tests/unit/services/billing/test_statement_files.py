"""Bills in files: names that never meet, each file whole or not at all, and sums of many."""

from __future__ import annotations

import csv
import importlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from services.billing.bill import Bill
from services.billing.exact import total
from services.billing.statement_csv import ENCODING
from services.billing.statement_files import BillFolder, BillWriter, stem, whole_file
from services.platform.errors import ConfigurationError
from tests.unit.services.billing.bills import billed, full, line, statement


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding=ENCODING, newline="") as file:
        return list(csv.DictReader(file))


def test_names_of_files_are_names_everywhere_and_never_meet() -> None:
    tenants = [
        *("acme", "Acme", "ACME", "acme-1", "acme/1", "acme\\1", "acme 1", "../etc/passwd", "."),
        *("北京", "北平", "a" * 128, "a" * 127 + "b", "CON", "é", "e\u0301", "acme~0"),
    ]
    stems = [stem(full(name)) for name in tenants]
    assert len({one.casefold() for one in stems}) == len(tenants)
    for one in stems:
        assert one.isascii() and len(one) < 100 and not set(one) & set('/\\:*?"<>| ')
    assert stem(full("acme")) == "2026-05-acme"


@pytest.mark.parametrize("kind", ["html", "json", "csv"])
def test_a_bill_is_written_as_it_is_asked_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bill"
    BillWriter([kind], None).write(full(), kind, path)
    text = path.read_text(encoding="utf-8-sig")
    assert text.startswith({"html": "<!doctype", "json": "{", "csv": "invoice_number"}[kind])
    assert "1.2" in text
    assert [one.name for one in tmp_path.iterdir()] == ["bill"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "bill.html"
    with pytest.raises(ConfigurationError, match="cannot write .*bill.html: No such file"):
        BillWriter(["html"], None).write(full(), "html", path)


def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "bill.html"
    path.write_text("before")
    with pytest.raises(ValueError, match="half"), whole_file(path) as part:
        part.write_text("half")
        raise ValueError("half")
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["bill.html"]


@pytest.mark.parametrize(("kind", "extra"), [("pdf", "bills"), ("parquet", "parquet")])
def test_a_package_that_is_missing_is_named_before_anything_is_read(
    kind: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("no", name="a_package")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        ConfigurationError, match=rf"{kind} needs a_package: pip install 'wattoken\[{extra}\]'"
    ):
        BillWriter([kind], None)
    BillWriter(["html", "json", "csv"], None)


def test_the_bills_of_all_are_in_one_folder_with_the_lines_of_all(tmp_path: Path) -> None:
    other = statement(line("energy", 5, "1"), tenant="beta")
    bills = [full("acme"), full("北京"), billed(other, currency="CNY")]
    formats = ["csv", "html", "json"]
    folder = BillFolder(tmp_path / "new" / "bills", formats, BillWriter(formats, None))
    for bill in bills:
        folder.add(bill)
    rows = folder.finish()
    assert [row.due for row in rows] == [bill.due for bill in bills]
    written = read(tmp_path / "new" / "bills" / "statements.csv")
    assert [row["files"] for row in written] == [
        f"{stem(bill)}.html {stem(bill)}.json" for bill in bills
    ]
    for row, bill in zip(written, bills, strict=True):
        html, plain = row["files"].split(" ")
        assert (tmp_path / "new" / "bills" / html).read_text().startswith("<!doctype")
        found = json.loads((tmp_path / "new" / "bills" / plain).read_text())
        assert found["tenant"] == bill.statement.tenant
        assert Decimal(row["due"]) == bill.due
    lines = read(tmp_path / "new" / "bills" / "lines.csv")
    assert due_of(lines, "北京") == full().due
    assert {line["billed_currency"] for line in lines} == {"USD", "CNY"}
    names = {one.name for one in (tmp_path / "new" / "bills").iterdir()}
    assert len(names) == 2 * len(bills) + 2


def due_of(lines: list[dict[str, str]], tenant: str) -> Decimal:
    amounts = [one["billed_amount"] for one in lines if one["tenant"] == tenant]
    return total(Decimal(one) for one in amounts if one)


def test_without_bills_there_are_heads(tmp_path: Path) -> None:
    folder = BillFolder(tmp_path, ["csv"], BillWriter(["csv"], None))
    assert folder.finish() == []
    assert read(tmp_path / "lines.csv") == read(tmp_path / "statements.csv") == []
    assert (tmp_path / "lines.csv").stat().st_size > 100


def test_pdf_and_parquet_too(tmp_path: Path) -> None:
    for name in ("typst", "fontTools", "pyarrow"):
        pytest.importorskip(name)
    formats = ["pdf", "parquet"]
    writer = BillWriter(formats, None)
    folder = BillFolder(tmp_path, formats, writer)
    bills: list[Bill] = [full("ᚠ"), full("acme")]
    for bill in bills:
        folder.add(bill)
    folder.finish()
    assert writer.missing == {"ᚠ"}
    assert {one.suffix for one in tmp_path.iterdir()} == {".pdf", ".parquet", ".csv"}
    writer.write(bills[0], "parquet", tmp_path / "one.parquet")
    assert (tmp_path / "2026-05-acme.pdf").read_bytes().startswith(b"%PDF-")
