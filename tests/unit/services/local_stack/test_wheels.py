"""Wheels come as they were locked, or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.wheels import LOCKS, fetch_wheels, locked_version
from tests.unit.services.local_stack.conftest import LockWheel

FILES = {"thing/program": "#!/bin/sh\necho it runs\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path / "to"


def test_what_is_locked_is_unpacked_with_its_programs_executable(
    lock_wheel: LockWheel, folder: Path
) -> None:
    lock_wheel("thing", "a-thing", FILES)
    fetch_wheels("Thing", "thing", folder, print, "install it")
    assert (folder / "thing" / "program").read_text() == FILES["thing/program"]
    assert (folder / "thing" / "program").stat().st_mode & 0o111


def test_a_wheel_that_was_changed_is_refused(lock_wheel: LockWheel, folder: Path) -> None:
    wheel = lock_wheel("thing", "a-thing", FILES)
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(ComponentMissing, match=r"(?s)Thing: pip failed.*install it.*HASH"):
        fetch_wheels("Thing", "thing", folder, print, "install it")
    assert list(folder.iterdir()) == []


def test_a_wheel_that_is_not_to_be_had_is_named(lock_wheel: LockWheel, folder: Path) -> None:
    lock_wheel("thing", "a-thing", FILES).unlink()
    with pytest.raises(ComponentMissing, match="(?s)Thing: pip failed.*install it.*a-thing"):
        fetch_wheels("Thing", "thing", folder, print, "install it")


@pytest.mark.parametrize("name", ["java", "maven", "npm"])
def test_each_lock_has_what_is_wanted_and_a_hash_for_everything(name: str) -> None:
    wanted = [
        re.split(r"[<>=!~ ]", line)[0]
        for line in (LOCKS / f"{name}.in").read_text().splitlines()
        if not line.startswith("#")
    ]
    text = (LOCKS / f"{name}.txt").read_text().replace("\\\n", " ")
    locked = [line for line in text.splitlines() if not line.startswith("#")]
    for line in locked:
        assert re.fullmatch(r"[a-z0-9-]+==\S+( +--hash=sha256:[0-9a-f]{64})+", line)
    assert {line.partition("==")[0] for line in locked} >= set(wanted)
    for distribution in wanted:
        assert locked_version(name, distribution)
