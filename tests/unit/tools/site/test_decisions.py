"""The list of decisions is what their pages say of themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.site.decisions import decisions, listed

FOLDER = Path(__file__).parents[4] / "docs/adr"


def test_each_page_is_listed_with_its_title_and_state() -> None:
    found = decisions(FOLDER)
    assert [each.file for each in found] == sorted(path.name for path in FOLDER.glob("[0-9]*.md"))
    assert all(each.file.startswith(each.number) for each in found)
    states = {each.number: each.state for each in found}
    assert states["0001"] == "Accepted"
    assert states["0008"] == "Superseded by [0017](0017-tokens-per-event.md)"
    assert all(re.match("Accepted|Superseded", state) for state in states.values())
    table = listed(found)
    assert (
        "| [0049](0049-docs-site.md) | The documents are a site, and what they show is run |"
        in table
    )


@pytest.mark.parametrize("text", ["# 1 Short\n\nAccepted.\n", "# 0001: With a colon\n", ""])
def test_a_page_that_begins_otherwise_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "0001-x.md").write_text(text)
    with pytest.raises(ValueError, match=r"0001-x\.md: begin with"):
        decisions(tmp_path)
