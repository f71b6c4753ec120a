"""The command's edge: what it needs, and where it writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.billing.focus.commands import metadata_path, opener
from services.billing.focus.csv_file import CsvFile
from services.cli import app
from services.platform.errors import ConfigurationError


def test_csv_needs_nothing() -> None:
    assert opener("csv") is CsvFile


def test_parquet_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "services.billing.focus.parquet_file", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'wattoken\[parquet\]'"):
        opener("parquet")


def test_metadata_lie_beside_the_file() -> None:
    assert metadata_path(Path("a/focus.csv")) == Path("a/focus.csv.metadata.json")


def test_a_month_is_asked_for_and_a_file() -> None:
    wrong = CliRunner().invoke(app, ["focus", "2026-13", "--out", "x.csv"])
    assert isinstance(wrong.exception, ConfigurationError)
    assert "no billing period" in str(wrong.exception)
    assert CliRunner().invoke(app, ["focus", "2026-10"]).exit_code == 2
