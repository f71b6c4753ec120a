"""The file of terms: read digit by digit, and named where it is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from services.billing.settings import BillingSettings, read_terms
from services.platform.errors import ConfigurationError
from services.platform.settings import read_settings


def test_without_a_file_terms_are_plain() -> None:
    assert (read_terms(None).currency, read_terms(None).taxes) == ("USD", ())


def test_percent_is_the_digits_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "terms.yaml"
    path.write_text('version: "1"\ntaxes: [{name: VAT, percent: 7.70}]\n', encoding="utf-8")
    assert str(read_terms(path).taxes[0].percent) == str(Decimal("7.70"))


@pytest.mark.parametrize("text", ["version: [", "version: 1\n", "", 'version: "1"\nvat: 7\n'])
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "terms.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"terms\.yaml"):
        read_terms(path)
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        read_terms(tmp_path / "nowhere.yaml")


def test_the_environment_names_file_and_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTOKEN_STATEMENT_SETTINGS_FILE", "/etc/terms.yaml")
    monkeypatch.setenv("WATTOKEN_STATEMENT_FONT_DIR", "/usr/share/fonts")
    settings = read_settings(BillingSettings)
    assert settings.statement_settings_file == Path("/etc/terms.yaml")
    assert settings.statement_font_dir == Path("/usr/share/fonts")
