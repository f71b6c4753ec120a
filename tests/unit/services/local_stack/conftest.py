"""Small children that need no component, and small wheels that need no registry."""

from __future__ import annotations

import base64
import hashlib
import stat
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.local_stack import wheels
from services.local_stack.processes import ChildPlan

MakePlan = Callable[..., ChildPlan]
LockWheel = Callable[[str, str, Mapping[str, str]], Path]
PutProgram = Callable[[str, str], Path]


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    """Plan a child that runs a Python script."""

    def make(script: str, name: str = "child", **options: Any) -> ChildPlan:
        options.setdefault("ready", lambda: True)
        options.setdefault("ready_timeout_seconds", 5)
        return ChildPlan(
            name=name,
            command=[sys.executable, "-I", "-S", "-c", script],
            log_path=tmp_path / "logs" / f"{name}.log",
            directory=tmp_path / name,
            **options,
        )

    return make


@pytest.fixture
def put_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutProgram:
    """Make the PATH one folder, and put shell scripts into it."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return put


@pytest.fixture
def lock_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LockWheel:
    """Make wheels of executable files, and lock each in the place of a committed lock.

    pip finds these wheels and asks no index. The cache is an empty one.
    """
    index, locks = tmp_path / "index", tmp_path / "locks"
    index.mkdir()
    locks.mkdir()
    monkeypatch.setattr(wheels, "LOCKS", locks)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))

    def lock(name: str, distribution: str, files: Mapping[str, str]) -> Path:
        wheel = write_wheel(index, distribution, files)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (locks / f"{name}.txt").write_text(f"{distribution}==1.0 --hash=sha256:{digest}\n")
        return wheel

    return lock


def write_wheel(index: Path, distribution: str, files: Mapping[str, str]) -> Path:
    """Write a wheel, version 1.0, for every machine."""
    stem = f"{distribution.replace('-', '_')}-1.0"
    info = f"{stem}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={_url_safe(text)},{len(text.encode())}" for path, text in contents.items()
    ]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    wheel = index / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            member = zipfile.ZipInfo(path)
            member.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(member, text)
    return wheel


def _url_safe(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
