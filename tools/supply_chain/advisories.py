"""Advisories in the OSV format, and which of them speak of a component.

Format: https://ossf.github.io/osv-schema/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tools.supply_chain.components import PYPI, Component

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Advisory:
    """What is known of one vulnerability of one component."""

    component: Component
    id: str
    aliases: frozenset[str] = frozenset()
    summary: str = ""
    fixed: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All ids it goes by."""
        return self.aliases | {self.id}


def of(component: Component, document: Document) -> Advisory:
    """The advisory of a document that speaks of a component."""
    fixed = {
        str(event["fixed"])
        for affected in _affected(component, document)
        for ranged in affected.get("ranges", [])
        if ranged.get("type") != "GIT"
        for event in ranged.get("events", [])
        if "fixed" in event
    }
    summary = str(document.get("summary") or document.get("details") or "").strip()
    return Advisory(
        component,
        str(document["id"]),
        frozenset(map(str, document.get("aliases") or [])),
        summary.splitlines()[0] if summary else "",
        tuple(sorted(fixed)),
    )


def affects(component: Component, document: Document) -> bool:
    """Whether a document names this version: in its list, or for PyPI by its ranges."""
    if document.get("withdrawn"):
        return False
    return any(
        component.version in map(str, affected.get("versions") or [])
        or any(_within(component, ranged) for ranged in affected.get("ranges") or [])
        for affected in _affected(component, document)
    )


def _affected(component: Component, document: Document) -> Iterator[Mapping[str, Any]]:
    for affected in document.get("affected") or []:
        package = affected.get("package") or {}
        ecosystem = str(package.get("ecosystem")).partition(":")[0]
        if ecosystem == component.ecosystem and _same(component, str(package.get("name"))):
            yield affected


def _same(component: Component, name: str) -> bool:
    if component.ecosystem == PYPI:
        return canonicalize_name(name) == canonicalize_name(component.name)
    return name == component.name


def _within(component: Component, ranged: Mapping[str, Any]) -> bool:
    """Whether a range has the version: the last event at or before it decides."""
    if component.ecosystem != PYPI or ranged.get("type") != "ECOSYSTEM":
        return False
    version = Version(component.version)
    within = False
    for event in sorted(ranged.get("events") or [], key=_position):
        ((kind, text),) = event.items()
        if kind == "introduced":
            within |= text == "0" or version >= _version(text)
        elif kind == "fixed":
            within &= version < _version(text)
        elif kind == "last_affected":
            within &= version <= _version(text)
    return within


def _position(event: Mapping[str, str]) -> tuple[Version, bool]:
    ((kind, text),) = event.items()
    # Where one range ends and another begins at the same version, it is in the second.
    return _version(text), kind == "introduced"


def _version(text: str) -> Version:
    try:
        return Version(str(text))
    except InvalidVersion:
        return Version("0")


def from_folder(folder: Path, wanted: Iterable[Component]) -> tuple[list[Advisory], int]:
    """The advisories of documents in a folder that name a component, and how many there are.

    A checkout of https://github.com/pypa/advisory-database is such a folder. Raises `OSError`,
    and `ValueError` where a document cannot be read.
    """
    looked_for = list(wanted)
    found, documents = [], 0
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".yaml") and path.relative_to(folder).parts[0][0] != ".":
            document = _read(path)
            if isinstance(document, dict) and "affected" in document and "id" in document:
                documents += 1
                hit = (component for component in looked_for if affects(component, document))
                found += [of(component, document) for component in hit]
    return found, documents


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    try:
        return json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from None
