"""The library is taken out of chDB's npm package, if that is the one it should be."""

from __future__ import annotations

import base64
import hashlib
import platform
import tarfile
from pathlib import Path

import pytest

from deploy.local import clickhouse
from deploy.local.clickhouse import (
    INTEGRITY,
    PACKAGES,
    clickhouse_library,
    clickhouse_plan,
    unpack_library,
)
from deploy.local.errors import ComponentMissing
from tests.unit.deploy.local.conftest import PutProgram


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


def test_what_npm_brings_is_used_only_if_it_is_the_one_known(
    tmp_path: Path, put_program: PutProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path, "package/libchdb.so")
    tarball = tmp_path / "chdb.tgz"
    put_program("node", "")
    put_program("npm", f"/bin/cp {tarball} .")
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(clickhouse, "PACKAGES", {(platform.system(), platform.machine()): "chdb"})
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    monkeypatch.setitem(INTEGRITY, "chdb", f"sha512-{base64.b64encode(digest).decode()}")
    original = tarball.read_bytes()
    tarball.write_bytes(original + b"\0")
    with pytest.raises(ComponentMissing, match=r"chdb\.tgz has another SHA-512"):
        clickhouse_library(print)
    tarball.write_bytes(original)
    assert clickhouse_library(print).read_bytes() == b"library"


def test_each_known_sum_is_one_of_a_package_that_is_fetched() -> None:
    assert set(PACKAGES.values()) >= INTEGRITY.keys() > set()
    for integrity in INTEGRITY.values():
        assert len(base64.b64decode(integrity.removeprefix("sha512-"))) == 64


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    plan = clickhouse_plan(tmp_path / "libchdb.so", tmp_path, 1, 2, tmp_path / "log")
    assert "--listen_host=127.0.0.1" in plan.command
