"""A file appears whole, or what was there before stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.billing.focus.row_file import whole_or_nothing
from services.platform.errors import ConfigurationError


def test_what_was_written_takes_the_name(tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    path.write_text("old")
    with whole_or_nothing(path) as making:
        making.write_text("new")
        assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["focus.csv"]
    assert path.read_text() == "new"


def test_after_an_error_the_old_file_is_there_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    path.write_text("old")
    with pytest.raises(ConfigurationError, match="nobody"), whole_or_nothing(path) as making:
        making.write_text("half")
        raise ConfigurationError("nobody has charges")
    assert [one.name for one in tmp_path.iterdir()] == ["focus.csv"]
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "focus.csv"
    with (
        pytest.raises(ConfigurationError, match="cannot write .*focus.csv: No such file"),
        whole_or_nothing(path) as making,
    ):
        making.write_text("new")
