"""What `wattoken doctor` does: examine, and print."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

from services.operate.doctor.finding import EXIT_CODES, Finding, Level, worst
from services.operate.doctor.looking.world import World
from services.operate.doctor.registry import CHECKS, Check, examine
from services.operate.doctor.settings import DoctorSettings
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.settings import read_settings

#: Of the JSON that is printed. Fields may be added; none changes its meaning or goes.
VERSION: Final = 1
_MARKS: Final = {
    Level.OK: "ok",
    Level.SKIPPED: "skipped",
    Level.WARNING: "WARNING",
    Level.ERROR: "ERROR",
}


def run(only: Iterable[str], *, as_json: bool) -> int:
    """Examine what the settings lead to, and print it; gives the exit code.

    0 where all is well, 3 where there are warnings and no error, 1 where there is an error. Raises
    `ConfigurationError` for a check that there is not.
    """
    checks = chosen(only)
    found: list[tuple[str, Finding]] = []
    with closing(World(read_settings(DoctorSettings))) as world:
        for name, finding in examine(world, checks):
            found.append((name, finding))
            if not as_json:
                _print(finding)
    level = worst(finding for _, finding in found)
    if as_json:
        print(json.dumps(document(found, datetime.now(UTC)), indent=2))
    else:
        say(_summary([finding for _, finding in found]))
    return EXIT_CODES[level]


def chosen(only: Iterable[str]) -> list[Check]:
    """The checks of these names, all where there are none; what others go by is always among them.

    Raises `ConfigurationError`.
    """
    wanted = set(only)
    names = [one.name for one in CHECKS]
    if unknown := sorted(wanted - set(names)):
        raise ConfigurationError(f"there is no check {unknown[0]!r}: give {', '.join(names)}")
    return [one for one in CHECKS if not wanted or one.name in wanted or one.name == "reach"]


def document(found: Iterable[tuple[str, Finding]], at: datetime) -> dict[str, Any]:
    """What `--json` prints (docs/doctor.md)."""
    findings = [*found]
    return {
        "version": VERSION,
        "examined_at": at.isoformat(timespec="seconds"),
        "result": worst(finding for _, finding in findings).value,
        "findings": [
            {
                "check": name,
                "level": finding.level.value,
                "what": finding.what,
                "found": finding.found,
                "remedy": finding.remedy,
            }
            for name, finding in findings
        ],
    }


def _print(finding: Finding) -> None:
    say(f"{_MARKS[finding.level]:<8} {finding.what}: {finding.found}")
    if finding.remedy:
        say(f"{'':<8} -> {finding.remedy}")


def _summary(findings: list[Finding]) -> str:
    counts = {level: sum(one.level is level for one in findings) for level in Level}
    return (
        f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings,"
        f" {counts[Level.OK]} ok, {counts[Level.SKIPPED]} skipped"
    )
