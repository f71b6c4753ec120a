"""PURE: versions, and every place that says which one this is.

pyproject.toml decides; the other places follow it, and tests/contract/test_release.py holds that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tools.release.errors import ReleaseError

_NUMBER: Final = r"(?:0|[1-9]\d*)"
_VERSION: Final = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version as Semantic Versioning has it, without anything behind its three numbers."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """The git tag of it."""
        return f"v{self}"


def version_of(text: str) -> Version:
    """Read a version. Raises `ReleaseError`."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ReleaseError(f"{text!r} is no version: write X.Y.Z")
    return Version(*map(int, found.groups()))


@dataclass(frozen=True, slots=True)
class Place:
    """A file that says the version, and what stands before it there, at least once."""

    path: str
    before: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds what stands before the version, and the version."""
        return re.compile(
            rf"({self.before})({_NUMBER}\.{_NUMBER}\.{_NUMBER})(?![\w.-])", re.MULTILINE
        )


#: The one that decides.
DECIDES: Final = Place("pyproject.toml", r'^version = "')
PLACES: Final = (
    DECIDES,
    Place("clients/python/pyproject.toml", r'^version = "'),
    Place("uv.lock", r'^name = "wattoken"\nversion = "'),
    Place("uv.lock", r'^name = "wattoken-client"\nversion = "'),
    Place("deploy/docker/Dockerfile", r"^ARG VERSION="),
    Place("deploy/docker/Dockerfile", r"-t wattoken:"),
    Place("deploy/helm/wattoken/Chart.yaml", r"^version: "),
    Place("deploy/helm/wattoken/Chart.yaml", r'^appVersion: "'),
    Place("docker-compose.yml", r"^  image: wattoken:"),
    Place("docs/kubernetes.md", r"registry\.example\.org/wattoken:"),
)


def said(place: Place, text: str) -> set[str]:
    """The versions that a place says. Raises `ReleaseError` where it says none."""
    found = {version for _, version in place.pattern.findall(text)}
    if not found:
        raise ReleaseError(f"{place.path}: nothing there looks like {place.before}VERSION")
    return found


def with_version(texts: Mapping[str, str], version: Version) -> dict[str, str]:
    """The texts of all files of `PLACES`, by path, with another version. Raises `ReleaseError`."""
    changed = dict(texts)
    for place in PLACES:
        said(place, changed[place.path])
        changed[place.path] = place.pattern.sub(rf"\g<1>{version}", changed[place.path])
    return changed
