"""PURE: what of uv.lock an installation has: packages, their files, and who needs whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from packaging.markers import Marker

from tools.release.errors import ReleaseError

PROJECT: Final = "wattoken"
Entry = Mapping[str, Any]
#: An environment as markers know it (PEP 508); None stands for all at once.
Environment = Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class File:
    """What a package is fetched as."""

    url: str
    sha256: str


@dataclass(slots=True)
class Package:
    """One version of a package, and the packages that it needs, as (name, version)."""

    name: str
    version: str
    files: tuple[File, ...] = ()
    needs: set[tuple[str, str]] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str]:
        """What it is told apart by."""
        return self.name, self.version


@dataclass(slots=True)
class Graph:
    """The packages by their keys, the project itself among them."""

    project: Package
    packages: dict[tuple[str, str], Package]


def graph_of(lock: Mapping[str, Any], extras: Iterable[str], environment: Environment) -> Graph:
    """What the project needs with these extras.

    Raises `ReleaseError` for an extra that the lock does not have.
    """
    entries: dict[str, list[Entry]] = {}
    for entry in lock["package"]:
        entries.setdefault(entry["name"], []).append(entry)
    (root,) = entries[PROJECT]
    packages: dict[tuple[str, str], Package] = {}
    waiting: list[tuple[Entry, str | None]] = [(root, None)]
    for asked in extras:
        if asked not in root.get("optional-dependencies", {}):
            raise ReleaseError(f"uv.lock: the project has no extra {asked!r}")
        waiting.append((root, asked))
    done = set()
    while waiting:
        entry, extra = waiting.pop()
        package = packages.setdefault((entry["name"], entry["version"]), package_of(entry))
        if (*package.key, extra) in done:
            continue
        done.add((*package.key, extra))
        wanted = entry.get("optional-dependencies", {}).get(extra, []) if extra else None
        for need in entry.get("dependencies", []) if wanted is None else wanted:
            for found in matching(need, entries, environment):
                package.needs.add((found["name"], found["version"]))
                waiting.append((found, None))
                waiting += [(found, each) for each in need.get("extra", [])]
    return Graph(packages[root["name"], root["version"]], packages)


def matching(
    need: Entry, entries: Mapping[str, list[Entry]], environment: Environment
) -> list[Entry]:
    """The locked versions that a dependency stands for in an environment."""
    if environment is not None and not holds(need.get("marker"), environment):
        return []
    found = entries[need["name"]]
    if "version" in need:
        found = [entry for entry in found if entry["version"] == need["version"]]
    return found


def holds(marker: str | None, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds in an environment."""
    return marker is None or Marker(marker).evaluate(dict(environment))


def package_of(entry: Entry) -> Package:
    """A package with its files, without what it needs yet."""
    told = [entry["sdist"]] if "sdist" in entry else []
    files = tuple(
        File(each["url"], each["hash"].removeprefix("sha256:"))
        for each in [*told, *entry.get("wheels", [])]
        if "url" in each
    )
    return Package(entry["name"], entry["version"], files)
