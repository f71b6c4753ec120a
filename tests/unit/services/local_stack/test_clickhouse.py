"""The library is taken out of chDB's npm package, if that is the one it should be."""

from __future__ import annotations

import base64
import hashlib
import platform
import tarfile
from pathlib import Path

import pytest

from services.local_stack import clickhouse
from services.local_stack.clickhouse import (
    CHDB_VERSION,
    INTEGRITY,
    INTEGRITY_SETTING,
    PACKAGES,
    clickhouse_library,
    clickhouse_plan,
    integrity_of,
    unpack_library,
)
from services.local_stack.errors import ComponentMissing
from tests.unit.services.local_stack.conftest import PutProgram


def pack(folder: Path, *names: str) -> None:
    source = folder / "source"
    source.write_bytes(b"library")
    with tarfile.open(folder / "chdb.tgz", "w:gz") as archive:
        for name in names:
            archive.add(source, arcname=name)
    source.unlink()


def sum_of(path: Path) -> str:
    """As npm writes it."""
    digest = hashlib.sha512(path.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


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
    monkeypatch.setitem(INTEGRITY, "chdb", sum_of(tarball))
    original = tarball.read_bytes()
    tarball.write_bytes(original + b"\0")
    with pytest.raises(ComponentMissing, match=r"chdb\.tgz has another SHA-512"):
        clickhouse_library(print)
    tarball.write_bytes(original)
    assert clickhouse_library(print).read_bytes() == b"library"


def test_a_package_without_a_known_sum_is_not_even_fetched(
    tmp_path: Path, put_program: PutProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program("node", "")
    put_program("npm", f"/usr/bin/touch {tmp_path}/asked; exit 1")
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(INTEGRITY_SETTING, raising=False)
    monkeypatch.setattr(clickhouse, "PACKAGES", {(platform.system(), platform.machine()): "chdb"})
    with pytest.raises(ComponentMissing) as refused:
        clickhouse_library(print)
    assert f"npm view chdb@{CHDB_VERSION} dist.integrity" in str(refused.value)
    assert INTEGRITY_SETTING in str(refused.value)
    assert not (tmp_path / "asked").exists()


def test_a_sum_can_be_named_where_none_is_known_and_holds_all_the_same(
    tmp_path: Path, put_program: PutProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path, "package/libchdb.so")
    tarball = tmp_path / "chdb.tgz"
    put_program("node", "")
    put_program("npm", f"/bin/cp {tarball} .")
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(clickhouse, "PACKAGES", {(platform.system(), platform.machine()): "chdb"})
    monkeypatch.setenv(INTEGRITY_SETTING, sum_of(tarball))
    assert clickhouse_library(print).read_bytes() == b"library"
    monkeypatch.setenv(INTEGRITY_SETTING, sum_of(Path(__file__)))
    with pytest.raises(ComponentMissing, match=f"another SHA-512.*{INTEGRITY_SETTING}"):
        clickhouse_library(print)


def test_what_is_committed_cannot_be_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INTEGRITY_SETTING, "sha512-other")
    for package, integrity in INTEGRITY.items():
        assert integrity_of(package) == integrity


def test_each_known_sum_is_one_of_a_package_that_is_fetched() -> None:
    assert set(PACKAGES.values()) >= INTEGRITY.keys() > set()
    for integrity in INTEGRITY.values():
        assert len(base64.b64decode(integrity.removeprefix("sha512-"))) == 64


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    plan = clickhouse_plan(tmp_path / "libchdb.so", tmp_path, 1, 2, tmp_path / "log")
    assert "--listen_host=127.0.0.1" in plan.command
