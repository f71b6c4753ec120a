"""PURE. What was found: how bad it is, what it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: Not looked at: not asked for, or what it needs does not answer.
    SKIPPED = "skipped"
    #: Works, and will not under some circumstance; or it could not be looked at.
    WARNING = "warning"
    #: Something does not work, or usage may be lost.
    ERROR = "error"


#: What the command exits with, by the worst that was found.
EXIT_CODES: Final = {Level.OK: 0, Level.SKIPPED: 0, Level.WARNING: 3, Level.ERROR: 1}
_ORDER: Final = [Level.OK, Level.SKIPPED, Level.WARNING, Level.ERROR]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``remedy`` is empty where there is nothing to do."""

    level: Level
    what: str
    found: str
    remedy: str = ""


def ok(what: str, found: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, what, found)


def skipped(what: str, why: str, remedy: str = "") -> Finding:
    """It was not looked at."""
    return Finding(Level.SKIPPED, what, why, remedy)


def warning(what: str, found: str, remedy: str) -> Finding:
    """It works, for now."""
    return Finding(Level.WARNING, what, found, remedy)


def error(what: str, found: str, remedy: str) -> Finding:
    """It does not work, or usage may be lost."""
    return Finding(Level.ERROR, what, found, remedy)


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level among findings; OK where there are none."""
    return max((one.level for one in findings), key=_ORDER.index, default=Level.OK)
