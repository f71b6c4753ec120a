"""PURE: CHANGELOG.md: its "Unreleased" becomes a version with its day."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from tools.release.errors import ReleaseError
from tools.release.versions import Version, version_of

UNRELEASED: Final = "Unreleased"
_HEADING: Final = re.compile(r"^## \[([^\]]+)\].*$", re.MULTILINE)
#: What links each heading to the changes; after all sections.
_LINK: Final = re.compile(r"^\[[^\]\n]+\]: \S+\n?", re.MULTILINE)


def section(text: str, name: str) -> str:
    """What stands under the heading of a version, or of `UNRELEASED`. Raises `ReleaseError`."""
    body = _LINK.sub("", text)
    for heading in _HEADING.finditer(body):
        if heading[1] == name:
            following = _HEADING.search(body, heading.end())
            return body[heading.end() : following.start() if following else len(body)].strip()
    raise ReleaseError(f"CHANGELOG.md has no section '## [{name}]'")


def released(text: str) -> list[Version]:
    """The versions that it has, as they stand in it."""
    return [version_of(name) for name in _HEADING.findall(text) if name != UNRELEASED]


def cut(text: str, version: Version, day: date, repository: str) -> str:
    """Give what is unreleased to a version of this day, with links to what changed.

    Raises `ReleaseError` where nothing is unreleased, or the version is not newer than all others.
    """
    if not re.search(r"^- ", section(text, UNRELEASED), re.MULTILINE):
        raise ReleaseError("CHANGELOG.md has nothing under '## [Unreleased]'")
    before = released(text)
    if before and version <= max(before):
        raise ReleaseError(f"CHANGELOG.md has {max(before)} already: {version} is not newer")
    fresh = f"## [{UNRELEASED}]\n\n## [{version}] - {day.isoformat()}"
    body = _HEADING.sub(lambda found: fresh if found[1] == UNRELEASED else found[0], text)
    body = _LINK.sub("", body).rstrip()
    versions = [version, *before]
    links = [f"[{UNRELEASED}]: {repository}/compare/{version.tag}...HEAD"]
    for newer, older in zip(versions, [*versions[1:], None], strict=True):
        changes = f"compare/{older.tag}...{newer.tag}" if older else f"releases/tag/{newer.tag}"
        links.append(f"[{newer}]: {repository}/{changes}")
    return "\n".join([body, "", *links, ""])
