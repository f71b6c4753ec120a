"""What the locks of this repository hold: every component that is fetched, with its version."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.local_stack.clickhouse import CHDB_VERSION, PACKAGES
from services.local_stack.jar_lock import read_lock

ROOT: Final = Path(__file__).parents[2]
PYPI: Final = "PyPI"
#: The files that say what is fetched, but for the two that say it in their own way.
LOCKS: Final = (
    *("uv.lock", "*/*/uv.lock", "*/*/jars.lock", "*/*/*/jars.lock", "tests/versions/*/*.lock"),
    *("services/local_stack/wheel_locks/*.txt", "tests/containers/podman-compose.txt"),
    *("*/*/go.mod", "*/*/*/go.mod"),
)
#: What is committed as it came, and no lock has: the npm package of its files.
VENDORED: Final = ROOT / "services/exporter/control_room/assets/README.md"
#: What tests fetch from npm: these say versions and sums themselves (tests/npm_package.py).
NPM_OF_TESTS: Final = ("tests/axe.py", "tests/cyclonedx.py", "tests/grafana/types.py")


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """One version of a package; ``ecosystem`` is a name that OSV has for its registry."""

    ecosystem: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def components(root: Path = ROOT) -> dict[Component, set[str]]:
    """Every component that a lock has, with the locks."""
    found: dict[Component, set[str]] = {}
    for lock in locks(root):
        for component in read(lock):
            found.setdefault(component, set()).add(lock.relative_to(root).as_posix())
    return found


def locks(root: Path) -> list[Path]:
    """The files that say what is fetched."""
    here = (path for pattern in LOCKS for path in root.glob(pattern))
    ours = {path for path in here if not any(part.startswith(".venv") for part in path.parts)}
    others = (
        root / "services/local_stack/clickhouse.py",
        root / VENDORED.relative_to(ROOT),
        *(root / path for path in NPM_OF_TESTS),
    )
    return sorted(ours | {path for path in others if path.exists()})


def read(lock: Path) -> Iterator[Component]:
    """The components of one lock."""
    text = lock.read_text(encoding="utf-8")
    if lock.name == "uv.lock":
        for package in tomllib.loads(text)["package"]:
            if "registry" in package["source"]:
                yield Component(PYPI, package["name"], package["version"])
    elif lock.suffix == ".lock":
        for jar in read_lock(lock):
            yield Component("Maven", f"{jar.group}:{jar.artifact}", jar.version)
    elif lock.suffix == ".txt":
        for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
            yield Component(PYPI, name, version)
    elif lock.name == "go.mod":
        for name, version in re.findall(r"^(?:require )?\s*(\S+\.\S+) v(\S+)", text, re.MULTILINE):
            yield Component("Go", name, version)
    elif lock.suffix == ".py" and "NpmPackage" in text:
        for name, version in re.findall(r'NpmPackage\(\s*"([^"]+)",\s*"([^"]+)"', text):
            yield Component("npm", name, version)
    elif lock.name == "clickhouse.py":
        for package in PACKAGES.values():
            yield Component("npm", package, CHDB_VERSION)
    else:
        for name, version in set(re.findall(r"npm package `([^`@]+)@([^`]+)`", text)):
            yield Component("npm", name, version)
