"""Writes bills to files: one, or those of all tenants into a folder, each whole or not at all."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final

from services.billing.bill import Bill
from services.billing.statement_csv import ENCODING, write_csv
from services.billing.statement_html import render_html
from services.billing.statement_json import document
from services.billing.statement_rows import BillRow, LineRow, bill_row, line_rows
from services.billing.terms import derived_code
from services.platform.errors import ConfigurationError

#: Names that are names of files everywhere; no two of them differ in case only.
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SLUG_LENGTH: Final = 40
#: The extra that brings what a format needs, and what does without.
_EXTRAS: Final = {"pdf": ("bills", "--html"), "parquet": ("parquet", "--csv")}


def stem(bill: Bill) -> str:
    """The name of a bill's files: no two tenants have the same, on any file system."""
    return f"{bill.statement.period_start:%Y-%m}-{name_of(bill.statement.tenant)}"


def name_of(tenant: str) -> str:
    """A tenant in the name of a file: no two have the same, on any file system."""
    if _PLAIN.fullmatch(tenant) is not None:
        return tenant
    slug = re.sub(r"[^a-z0-9]+", "-", tenant.lower()).strip("-")[:_SLUG_LENGTH]
    return f"{slug}~{derived_code(tenant)}"


class BillWriter:
    """Writes bills in the formats that are asked for, each bill to a file of its own.

    ``missing`` are characters that no font has. Raises `ConfigurationError` where a package is not
    installed, a folder of fonts has none, or a file cannot be written.
    """

    def __init__(self, formats: Iterable[str], font_dir: Path | None) -> None:
        self.missing: set[str] = set()
        formats = set(formats)
        if "pdf" in formats:
            self._pdf = _module("pdf", "services.billing.statement_pdf")
            self._fonts = _module("pdf", "services.billing.fonts").BillFonts(font_dir)
        if "parquet" in formats:
            self._parquet = _module("parquet", "services.billing.statement_parquet")

    def write(self, bill: Bill, kind: str, path: Path) -> None:
        """Write a bill as ``pdf``, ``html``, ``json``, ``csv`` or ``parquet``."""
        if kind == "csv":
            with whole_file(path) as part, opened(part) as file:
                write_csv(file, LineRow, line_rows(bill))
        elif kind == "parquet":
            rows = self.parquet_rows()
            rows.add(list(line_rows(bill)))
            with whole_file(path) as part:
                rows.write(part)
        else:
            with whole_file(path) as part:
                part.write_bytes(self._content(bill, kind))

    def _content(self, bill: Bill, kind: str) -> bytes:
        if kind == "html":
            return render_html(bill).encode()
        if kind == "json":
            return json.dumps(document(bill), indent=2).encode()
        drawn = self._pdf.render_pdf(bill, self._fonts)
        self.missing.update(drawn.missing)
        content: bytes = drawn.content
        return content

    def parquet_rows(self) -> Any:
        """Where rows of many bills are put before they become one Parquet file."""
        return self._parquet.ParquetRows()


class BillFolder:
    """Puts the bills of many tenants into a folder.

    Each has files of its own (``pdf``, ``html``, ``json``); `lines.csv` and `lines.parquet` have
    the lines of all, `statements.csv` a row for each. Those are there when `finish` was called.
    """

    def __init__(self, folder: Path, formats: Iterable[str], writer: BillWriter) -> None:
        self._folder = folder
        self._writer = writer
        self._own = [kind for kind in ("pdf", "html", "json") if kind in formats]
        self._rows: list[BillRow] = []
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / "lines.csv.part"
            self._lines = opened(part) if "csv" in formats else None
        if self._lines is not None:
            write_csv(self._lines, LineRow, ())
        self._parquet = writer.parquet_rows() if "parquet" in formats else None

    def add(self, bill: Bill) -> None:
        """Write a bill's own files, and add its lines to those of all."""
        paths = [self._folder / f"{stem(bill)}.{kind}" for kind in self._own]
        for kind, path in zip(self._own, paths, strict=True):
            self._writer.write(bill, kind, path)
        rows = list(line_rows(bill))
        if self._lines is not None:
            with _told(self._folder / "lines.csv"):
                write_csv(self._lines, LineRow, rows, head=False)
        if self._parquet is not None:
            self._parquet.add(rows)
        self._rows.append(bill_row(bill, " ".join(path.name for path in paths)))

    def finish(self) -> list[BillRow]:
        """Complete the files of all bills; gives a row for each."""
        if self._lines is not None:
            with _told(self._folder / "lines.csv"):
                self._lines.close()
                Path(self._lines.name).replace(self._folder / "lines.csv")
        if self._parquet is not None:
            with whole_file(self._folder / "lines.parquet") as part:
                self._parquet.write(part)
        with whole_file(self._folder / "statements.csv") as part, opened(part) as file:
            write_csv(file, BillRow, self._rows)
        return self._rows


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes ``path`` at the end, unless something is raised."""
    part = path.with_name(f"{path.name}.part")
    with _told(path):
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def opened(path: Path) -> IO[str]:
    """Open a CSV file to write; raises `OSError`."""
    return path.open("w", encoding=ENCODING, newline="")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def _module(kind: str, name: str) -> ModuleType:
    """Import what writes a format, which not everyone has installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("services"):
            raise
        extra, instead = _EXTRAS[kind]
        raise ConfigurationError(
            f"{kind} needs {error.name}: pip install 'wattoken[{extra}]' (in a clone `make setup`),"
            f" or use {instead}"
        ) from error
