"""Which label sets have a name outlives a restart; a file that cannot be written harms nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.exporter.admitted_file import NAME, AdmittedFile
from services.exporter.rows import Series
from services.platform.errors import ConfigurationError

FIRST = [Series("eu", "p", 'odd "\n name'), Series("us", "p", "m")]


def test_what_was_written_is_read_in_its_order(tmp_path: Path) -> None:
    AdmittedFile(tmp_path / "new").write(FIRST)
    assert AdmittedFile(tmp_path / "new").read() == FIRST
    assert [path.name for path in (tmp_path / "new").iterdir()] == [NAME]


def test_it_is_written_only_when_there_are_more(tmp_path: Path) -> None:
    file = AdmittedFile(tmp_path)
    file.write(FIRST)
    (tmp_path / NAME).unlink()
    file.write(FIRST)
    assert not (tmp_path / NAME).exists()
    more = [*FIRST, Series("eu", "p", "new")]
    file.write(more)
    assert AdmittedFile(tmp_path).read() == more


def test_without_a_folder_nothing_is_remembered() -> None:
    file = AdmittedFile(None)
    file.write(FIRST)
    assert file.read() == []


@pytest.mark.parametrize("text", ["no json\n", '["eu", "p"]\n', "7\n"])
def test_one_that_cannot_be_read_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ConfigurationError, match="delete it"):
        AdmittedFile(tmp_path).read()


def test_one_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    file = AdmittedFile(blocked)
    file.write(FIRST)
    file.write(FIRST)
    assert blocked.read_text() == ""
