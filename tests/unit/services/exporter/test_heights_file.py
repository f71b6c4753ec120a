"""Heights outlive a restart; a file that cannot be read or written is told and stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.exporter import heights_file
from services.exporter.heights import Heights
from services.exporter.heights_file import ADMITTED_NAME, NAME, HeightsFile
from services.exporter.rows import Series
from services.platform.errors import ConfigurationError


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was logged as an error."""
    lines: list[str] = []

    class Log:
        def error(self, event: str, **fields: str) -> None:
            lines.append(event)

    monkeypatch.setattr(heights_file, "_log", Log())
    return lines


FIRST = Heights([Series("eu", "p", 'odd "\n name')], {}, {("a",): (1,)})


def opened(folder: Path) -> Heights:
    file = HeightsFile(folder)
    try:
        return file.read()
    finally:
        file.close()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    file = HeightsFile(folder)
    assert file.read() == Heights()
    assert file.write(FIRST)
    file.close()
    assert opened(folder) == FIRST
    assert sorted(path.name for path in folder.iterdir()) == ["exporter.lock", NAME]


def test_a_write_cut_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = HeightsFile(tmp_path)
    file.write(FIRST)
    file.close()
    (tmp_path / f"{NAME}.new").write_bytes(b'{"format": 1')
    assert opened(tmp_path) == FIRST


def test_without_a_folder_nothing_is_kept(told: list[str]) -> None:
    file = HeightsFile(None)
    assert not file.write(FIRST)
    assert file.read() == Heights()
    assert told == []


@pytest.mark.parametrize("text", [b"", b"no json\n", b'["eu", "p"]\n', b"7\n", b"\xff\xfe"])
@pytest.mark.parametrize("name", [NAME, ADMITTED_NAME])
def test_a_damaged_file_is_told_and_put_aside(
    tmp_path: Path, text: bytes, name: str, told: list[str]
) -> None:
    if (name, text) == (ADMITTED_NAME, b""):
        pytest.skip("no names at all is a file of that version")
    (tmp_path / name).write_bytes(text)
    assert opened(tmp_path) == Heights()
    assert [line[:33] for line in told] == ["cannot read the counters' heights"]
    assert (tmp_path / f"{name}.unreadable").read_bytes() == text
    assert opened(tmp_path) == Heights()
    assert len(told) == 1


def test_names_of_an_earlier_version_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / ADMITTED_NAME).write_text('["eu", "p", "m"]\n')
    assert opened(tmp_path).named == [Series("eu", "p", "m")]


def test_one_that_cannot_be_written_is_told_once(tmp_path: Path, told: list[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    file = HeightsFile(blocked)
    assert not file.write(FIRST)
    assert not file.write(FIRST)
    assert [line[:33] for line in told] == ["cannot keep the counters' heights"]
    assert blocked.read_text() == ""


def test_a_folder_is_of_one_exporter_alone(tmp_path: Path) -> None:
    first = HeightsFile(tmp_path)
    with pytest.raises(ConfigurationError, match="a folder of its own"):
        HeightsFile(tmp_path)
    first.close()
    HeightsFile(tmp_path).close()
