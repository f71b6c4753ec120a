"""Links that leave docs/ lead to the repository on the site; one to nothing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.site.links import REPOSITORY, BrokenLinkError, outward


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("docs/adr/README.md", "docs/a.md", "services/app.py", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("../services/app.py", f"{REPOSITORY}/blob/main/services/app.py"),
        ("../services", f"{REPOSITORY}/tree/main/services"),
        ("../README.md#try-it", f"{REPOSITORY}/blob/main/README.md#try-it"),
        ("b.md#x", "b.md#x"),
        ("adr", "adr/README.md"),
        ("#here", "#here"),
        ("https://example.org/../x", "https://example.org/../x"),
        ("mailto:a@example.org", "mailto:a@example.org"),
    ],
)
def test_where_a_link_leads(root: Path, link: str, becomes: str) -> None:
    page = root / "docs/a.md"
    assert outward(f"- [x]({link}), y\n", page, root) == f"- [x]({becomes}), y\n"


@pytest.mark.parametrize("link", ["../services/gone.py", "../../elsewhere.md"])
def test_a_link_to_nothing_names_page_and_link(root: Path, link: str) -> None:
    with pytest.raises(BrokenLinkError, match=r"docs/a\.md: .*leads nowhere"):
        outward(f"[x]({link})", root / "docs/a.md", root)


def test_code_blocks_stay_as_they_are(root: Path) -> None:
    text = "````md\n```\n[x](../gone.py)\n```\n````\n   ```sh\n   [y](../gone.py)\n   ```\n"
    assert outward(text, root / "docs/a.md", root) == text


def test_behind_a_code_block_links_are_links_again(root: Path) -> None:
    found = outward("```\n```\n[x](../README.md)", root / "docs/a.md", root)
    assert found == f"```\n```\n[x]({REPOSITORY}/blob/main/README.md)"
