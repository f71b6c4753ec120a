"""A link that is kept in the tree leads to what is in the tree, wherever that is cloned."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
LINK = "120000"


def links() -> list[Path]:
    """Every symbolic link that git keeps, by its path from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-s", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    entries = [entry.partition("\t") for entry in listed.split("\0") if entry]
    return [Path(path) for facts, _, path in entries if facts.startswith(LINK)]


def test_links_stay_in_the_tree() -> None:
    found = links()
    for link in found:
        target = (ROOT / link).readlink()
        assert not PurePosixPath(target).is_absolute(), f"{link} leads to {target}"
        there = (ROOT / link.parent / target).resolve()
        assert there.is_relative_to(ROOT.resolve()), f"{link} leads out of the tree, to {target}"
        assert there.exists(), f"{link} leads to {target}, which does not exist"
