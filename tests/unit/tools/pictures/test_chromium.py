"""Which Chromium is taken, and that what was unpacked finds its libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.pictures.chromium import UNPACKED, find_chromium


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/already/there")


def test_none_where_none_is(tmp_path: Path) -> None:
    assert find_chromium() is None


def test_the_installed_one_comes_first(tmp_path: Path) -> None:
    (tmp_path / "cache" / UNPACKED).mkdir(parents=True)
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = find_chromium()
    assert found is not None
    assert (found.binary, found.env) == (program, {})


def test_the_unpacked_one_finds_its_libraries(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / UNPACKED
    for name in ("x86_64-linux-gnu/liba.so.0", "x86_64-linux-gnu/deep/libb.so", "chromium/c.so"):
        library = folder / "usr/lib" / name
        library.parent.mkdir(parents=True, exist_ok=True)
        library.touch()
    found = find_chromium()
    assert found is not None
    assert found.binary == folder / "usr/lib/chromium/chromium-headless-shell"
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    assert found.env["LD_LIBRARY_PATH"] == f"{libraries}:{libraries / 'deep'}:/already/there"
