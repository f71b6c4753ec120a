"""The documents: links lead somewhere, and what the code points at is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.aggregator import errors

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: How error texts and comments point at a section of the runbook, a line's end in between or not.
RUNBOOK_TITLE = re.compile(r"""docs/runbook\.md,[\s"]*['"]([^'"]+)['"]""")


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def sources() -> Iterator[Path]:
    for folder in ("services", "schemas", "deploy"):
        yield from (ROOT / folder).rglob("*.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} does not exist"
        assert not anchor or anchor in anchors(target), f"{link}: no such section"


def test_the_runbook_has_each_section_that_the_code_names() -> None:
    titles = {
        title
        for path in sources()
        for title in RUNBOOK_TITLE.findall(path.read_text(encoding="utf-8"))
    }
    assert "Retention overtook the meter" in titles, "the pattern finds nothing any more"
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#+ (.+)$", runbook, re.MULTILINE))
    assert titles <= headings, titles - headings


def test_the_architecture_names_each_error_that_stops_a_worker() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.MeteringStoppedError):
            assert value is errors.MeteringStoppedError or f"`{name}`" in text, name


def test_documents_named_in_the_code_exist() -> None:
    for path in sources():
        for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{path.relative_to(ROOT)} names {name}"


def test_the_architecture_lists_every_decision_once_and_in_order() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[\d{4}\]\(adr/([^)]+)\) \|", text, re.MULTILINE)
    assert listed == sorted(path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
