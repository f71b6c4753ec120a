"""Holds what the locks have against known vulnerabilities: ``python -m tools.supply_chain.audit``.

By OSV's index, which knows every registry that anything comes from. Where it is not reached, that
is said and is no failure. What is accepted for a time is in ``accepted_advisories.toml``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from tools.supply_chain.advisories import Advisory, from_folder
from tools.supply_chain.components import Component, components
from tools.supply_chain.osv import URL, Unreachable, within

ACCEPTED: Final = Path(__file__).with_name("accepted_advisories.toml")
#: In all: `make lint` waits for it.
TIMEOUT_SECONDS: Final = 10.0
LONGEST_ACCEPTED_DAYS: Final = 180


@dataclass(frozen=True, slots=True)
class Accepted:
    """An advisory that is no failure until a day, for a reason."""

    id: str
    reason: str
    until: date


def read_accepted(path: Path) -> list[Accepted]:
    """What is accepted; raises `ValueError` for an entry without id, reason or day."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    found = []
    for entry in table.get("accepted", []):
        if not entry.get("id") or not entry.get("reason") or type(entry.get("until")) is not date:
            raise ValueError(f"{path}: each entry needs id, reason and until (a date): {entry}")
        found.append(Accepted(entry["id"], entry["reason"], entry["until"]))
    return found


def judge(
    advisories: Iterable[Advisory], accepted: Iterable[Accepted], today: date
) -> tuple[list[Advisory], list[str]]:
    """The advisories that are not accepted, and what is wrong with what is accepted.

    Of advisories that are aliases of each other, the first by its id stands for all.
    """
    entries = {entry.id: entry for entry in accepted}
    wrong = [
        f"{entry.id} is accepted until {entry.until}: fix it, or think again ({entry.reason})"
        for entry in entries.values()
        if entry.until < today
    ]
    wrong += [
        f"{entry.id} is accepted until {entry.until}: no longer than {LONGEST_ACCEPTED_DAYS} days"
        for entry in entries.values()
        if (entry.until - today).days > LONGEST_ACCEPTED_DAYS
    ]
    open_: list[Advisory] = []
    told: set[tuple[Component, str]] = set()
    for advisory in sorted(advisories, key=lambda each: (each.component, each.id)):
        names = {(advisory.component, name) for name in advisory.names}
        if not told & names and not entries.keys() & advisory.names:
            open_.append(advisory)
        told |= names
    return open_, wrong


def lines(advisories: Iterable[Advisory], found: Mapping[Component, set[str]]) -> Iterator[str]:
    """What is said of each: name, version, advisory, remedy, and where it is locked."""
    for advisory in advisories:
        names = ", ".join([advisory.id, *sorted(advisory.aliases)])
        fixed = f"fixed in {', '.join(advisory.fixed)}" if advisory.fixed else "no fix is known"
        where = ", ".join(sorted(found[advisory.component]))
        summary = f": {advisory.summary}" if advisory.summary else ""
        yield f"{advisory.component} ({where}): {names}{summary}; {fixed}"


def run(found: Mapping[Component, set[str]], folder: Path | None, url: str, today: date) -> int:
    """Audit by a folder of documents or by an index; 1 when something is open."""
    accepted = read_accepted(ACCEPTED)
    try:
        if folder is not None:
            advisories, documents = from_folder(folder, found)
            asked = f"{documents} advisories in {folder}"
        else:
            advisories = within(TIMEOUT_SECONDS, url, sorted(found))
            asked = url
    except Unreachable as error:
        print(
            f"audit: NOT DONE, no index of advisories is reached: {error}; `make audit"
            " ADVISORIES=folder` takes a checkout of https://github.com/pypa/advisory-database"
        )
        advisories, asked = [], ""
    open_, wrong = judge(advisories, accepted, today)
    for line in [*lines(open_, found), *wrong]:
        print(f"audit: {line}", file=sys.stderr)
    if open_ or wrong:
        print(f"audit: what has no remedy yet: {ACCEPTED.name}, until a day", file=sys.stderr)
        return 1
    if asked:
        print(f"audit: nothing is known against {len(found)} components, by {asked}")
    return 0


def main() -> int:
    """Audit as the command line and ``WATTOKEN_OSV_URL``, a mirror for instance, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--advisories", type=Path, help="folder of OSV documents, no index")
    options = parser.parse_args()
    url = os.environ.get("WATTOKEN_OSV_URL") or URL
    try:
        return run(components(), options.advisories, url, datetime.now(UTC).date())
    except (OSError, ValueError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
