"""The shipped rules with a minute being some seconds, and which alerts they have.

Only ranges, offsets and waits are shortened. What a rule compares with (a minute of the canary, 45
minutes of an interval, days of a certificate or a price list) stays as it is shipped, so the
services must really be in that state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from services.local_stack.prometheus import RULES

#: A duration in a rule: of a window, an offset or a wait.
DURATION: Final = re.compile(r"(?<![\w.])(\d+)([mhd])\b")
MINUTES: Final = {"m": 1, "h": 60, "d": 1440}
#: An alert that waits for an hour waits no longer than the others: what it waits for is one state
#: that goes on, and an hour of it is no other than a quarter.
LONGEST_WAIT: Final = "15m"
PREFIX: Final = "Wattoken"


def shortened(text: str, minute_seconds: int) -> str:
    """The durations of an expression, a minute being so many seconds."""

    def short(found: re.Match[str]) -> str:
        return f"{int(found[1]) * MINUTES[found[2]] * minute_seconds}s"

    return DURATION.sub(short, text)


def short_wait(text: str, minute_seconds: int) -> str:
    """The same of a wait."""
    return shortened(LONGEST_WAIT if text.endswith("h") else text, minute_seconds)


def quick_rules(folder: Path, minute_seconds: int) -> list[str]:
    """Write them into a new folder; return the files."""
    folder.mkdir()
    copies = []
    for path, rules in _files():
        for group in rules["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule["expr"] = shortened(rule["expr"], minute_seconds)
                if "for" in rule:
                    rule["for"] = short_wait(rule["for"], minute_seconds)
        copies.append(folder / path.name)
        copies[-1].write_text(yaml.safe_dump(rules))
    return [str(copy) for copy in copies]


def alert_names() -> set[str]:
    """Every alert of the shipped rules, without what all begin with."""
    return {
        rule["alert"].removeprefix(PREFIX)
        for _, rules in _files()
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def _files() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(RULES.glob("*.yml")):
        yield path, yaml.safe_load(path.read_text(encoding="utf-8"))
