"""The decisions of docs/adr as their first lines tell: number, title, what became of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TITLE = re.compile(r"# (\d{4}) (.+)")


@dataclass(frozen=True, slots=True)
class Decision:
    """One page of docs/adr."""

    file: str
    number: str
    title: str
    #: The first sentence below the title: accepted, or superseded by which.
    state: str


def decisions(folder: Path) -> list[Decision]:
    """All decisions of a folder by number; ValueError names a page that begins otherwise."""
    return [_read(path) for path in sorted(folder.glob("[0-9]*.md"))]


def _read(path: Path) -> Decision:
    head = path.read_text(encoding="utf-8").split("\n\n", 2)
    found = _TITLE.fullmatch(head[0].strip())
    if found is None or len(head) < 2:
        raise ValueError(f"{path}: begin with `# NNNN Title` and a line that says its state")
    state = " ".join(head[1].split())
    return Decision(
        path.name, found[1], found[2], re.split(r"(?<=[a-z)])[.;] ", state)[0].rstrip(".")
    )


def listed(found: Iterable[Decision]) -> str:
    """The decisions as a table of Markdown, each a link to its page."""
    lines = ["", "| | decision | state |", "| --- | --- | --- |"]
    lines += [f"| [{each.number}]({each.file}) | {each.title} | {each.state} |" for each in found]
    return "\n".join([*lines, ""])
