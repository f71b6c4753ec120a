"""The library is taken out of chDB's npm package."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from deploy.local.clickhouse import clickhouse_plan, unpack_library
from deploy.local.errors import ComponentMissing


def pack(folder: Path, *names: str) -> None:
    source = folder / "source"
    source.write_bytes(b"library")
    with tarfile.open(folder / "chdb.tgz", "w:gz") as archive:
        for name in names:
            archive.add(source, arcname=name)
    source.unlink()


def test_only_the_library_stays(tmp_path: Path) -> None:
    pack(tmp_path, "package/package.json", "package/libchdb.so")
    unpack_library(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["libchdb.so"]


def test_a_package_without_a_library_is_refused(tmp_path: Path) -> None:
    pack(tmp_path, "package/package.json")
    with pytest.raises(ComponentMissing, match="holds no libchdb"):
        unpack_library(tmp_path)


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    plan = clickhouse_plan(tmp_path / "libchdb.so", tmp_path, 1, 2, tmp_path / "log")
    assert "--listen_host=127.0.0.1" in plan.command
