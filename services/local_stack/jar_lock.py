"""The lock of the broker's jars: what ``pom.xml`` resolves to, each with its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from services.local_stack.errors import ComponentMissing, StackError

HEAD = "# What pom.xml resolves to, and the SHA-256 of each jar; written by `make locks`."


@dataclass(frozen=True, slots=True, order=True)
class Jar:
    """One jar of a Maven repository; never a snapshot, without classifier."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinates(self) -> str:
        """As Maven writes them."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """The file's name in any repository."""
        return f"{self.artifact}-{self.version}.jar"


def read_lock(lock: Path) -> list[Jar]:
    """The jars of a lock."""
    jars = []
    for line in lock.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            sha256, coordinates = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(group, artifact, version, sha256))
    return jars


def locked_pom(lock: Path) -> str:
    """SHA-256 of the ``pom.xml`` that the lock was written from."""
    return lock.read_text("utf-8").splitlines()[1].removeprefix("# pom.xml ")


def lock_text(pom: Path, jars: Iterable[Jar]) -> str:
    """The text of the lock."""
    lines = [f"{jar.sha256}  {jar.coordinates}" for jar in sorted(jars)]
    return "\n".join([HEAD, f"# pom.xml {sha256_of(pom)}", *lines, ""])


def check_jars(folder: Path, lock: Path, ours: str | None = None) -> None:
    """Raise `ComponentMissing` unless the jars in ``folder`` are those of the lock, and no more.

    ``ours`` names one that was built there and not fetched.
    """
    wanted = {jar.file_name: jar for jar in read_lock(lock)}
    found = {path.name for path in folder.glob("*.jar")} - {ours}
    for name in sorted(wanted.keys() | found):
        if name not in found:
            wrong = "is missing"
        elif name not in wanted:
            wrong = "is not in the lock"
        elif sha256_of(folder / name) != wanted[name].sha256:
            wrong = "has another SHA-256 than the lock"
        else:
            continue
        raise ComponentMissing(
            f"{name} {wrong} ({lock}); if pom.xml was changed, run `make locks`,"
            " else ask who serves your Maven repository"
        )


def jar_at(repository: Path, path: Path) -> Jar:
    """The jar at a path of a repository's usual layout; raises `StackError` for a classifier."""
    *group, artifact, version, name = path.relative_to(repository).parts
    jar = Jar(".".join(group), artifact, version, sha256_of(path))
    if name != jar.file_name:
        raise StackError(f"{name}: the lock knows no classifiers; extend jar_lock.py")
    return jar


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
