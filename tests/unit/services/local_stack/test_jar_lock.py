"""A jar that is not the locked one is not run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing, StackError
from services.local_stack.jar_lock import Jar, check_jars, jar_at, lock_text, locked_pom, read_lock


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


JARS = [
    Jar("org.example", "a", "1.0", digest(b"a")),
    Jar("org.example.deep", "b", "2.1", digest(b"b")),
]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    pom = tmp_path / "pom.xml"
    pom.write_bytes(b"<project/>")
    lock = tmp_path / "jars.lock"
    lock.write_text(lock_text(pom, reversed(JARS)))
    return lock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / "a-1.0.jar").write_bytes(b"a")
    (folder / "b-2.1.jar").write_bytes(b"b")
    return folder


def test_a_lock_is_read_as_it_was_written(lock: Path) -> None:
    assert read_lock(lock) == JARS
    assert locked_pom(lock) == digest(b"<project/>")


def test_the_locked_jars_pass(folder: Path, lock: Path) -> None:
    check_jars(folder, lock)


def test_a_jar_with_other_content_is_refused(folder: Path, lock: Path) -> None:
    (folder / "b-2.1.jar").write_bytes(b"B")
    with pytest.raises(ComponentMissing, match=r"b-2\.1\.jar has another SHA-256"):
        check_jars(folder, lock)


def test_a_jar_that_is_missing_is_named(folder: Path, lock: Path) -> None:
    (folder / "a-1.0.jar").unlink()
    with pytest.raises(ComponentMissing, match=r"a-1\.0\.jar is missing"):
        check_jars(folder, lock)


def test_a_jar_too_many_is_refused_for_it_would_be_on_the_class_path(
    folder: Path, lock: Path
) -> None:
    (folder / "c-1.jar").write_bytes(b"c")
    with pytest.raises(ComponentMissing, match=r"c-1\.jar is not in the lock.*make locks"):
        check_jars(folder, lock)


def test_what_was_built_there_is_let_be_and_nothing_else(folder: Path, lock: Path) -> None:
    (folder / "ours-1.jar").write_bytes(b"ours")
    check_jars(folder, lock, ours="ours-1.jar")
    (folder / "c-1.jar").write_bytes(b"c")
    with pytest.raises(ComponentMissing, match=r"c-1\.jar is not in the lock"):
        check_jars(folder, lock, ours="ours-1.jar")


def test_coordinates_are_read_off_a_repository(tmp_path: Path) -> None:
    path = tmp_path / "org/example/deep/b/2.1/b-2.1.jar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"b")
    assert jar_at(tmp_path, path) == JARS[1]
    assert JARS[1].coordinates == "org.example.deep:b:2.1"
    with pytest.raises(StackError, match="no classifiers"):
        jar_at(tmp_path, path.rename(path.with_name("b-2.1-linux.jar")))
