"""The code blocks of README and docs/, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)(`{3,}|~{3,}) *(.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page, its indentation taken off."""

    page: str
    #: Of its opening fence.
    line: int
    language: str
    text: str
    #: The title above it.
    section: str

    @property
    def at(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "")


def pages() -> list[str]:
    """Every page whose blocks are held, by its path from the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """The blocks of a page; raises ValueError for one that does not end."""
    return tuple(read_blocks(page, (ROOT / page).read_text(encoding="utf-8")))


def read_blocks(page: str, text: str) -> Iterator[Block]:
    """Cut the blocks out of a text of Markdown."""
    section, fence, indent, language, begun = "", "", "", "", 0
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _FENCE.match(line)
        if not fence and found:
            indent, fence, language = found[1], found[2], found[3].partition(" ")[0]
            begun, inside = number, []
        elif fence and found and found[2].startswith(fence) and not found[3]:
            yield Block(page, begun, language, "\n".join([*inside, ""]), section)
            fence = ""
        elif fence:
            inside.append(line.removeprefix(indent))
        elif line.startswith("#"):
            section = line.lstrip("# ")
    if fence:
        raise ValueError(f"{page}:{begun}: the block does not end")


def blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in any of these languages."""
    return [block for page in pages() for block in blocks_of(page) if block.language in languages]


def block(page: str, language: str, begins: str) -> Block:
    """The one block of a page that begins with a text; AssertionError where it is not there."""
    found = [
        each
        for each in blocks_of(page)
        if each.language == language and each.first_line.startswith(begins)
    ]
    assert len(found) == 1, f"{page}: {len(found)} blocks of {language} begin with {begins!r}"
    return found[0]
