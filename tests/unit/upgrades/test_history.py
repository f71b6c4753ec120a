"""Which trees there are to upgrade from, by what git says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.upgrades.history import (
    Change,
    NoHistoryError,
    Pair,
    changes,
    newest,
    onto_this_tree,
    parse,
    steps,
)

LINE = [
    Change("c1", "b1", ("0002_b.sql", "0003_c.sql")),
    Change("c2", "b2", ("0004_d.sql",)),
    Change("c3", "b3", ("0005_e.sql",)),
]


def test_steps_lead_from_tree_to_tree_and_the_last_one_here() -> None:
    assert steps(LINE) == [
        Pair("b1", "b2", ("0002_b.sql", "0003_c.sql")),
        Pair("b2", "b3", ("0004_d.sql",)),
        Pair("b3", None, ("0005_e.sql",)),
    ]
    assert [pair.name for pair in steps(LINE)] == ["0002-0003", "0004", "0005"]


def test_many_at_once_end_here() -> None:
    found = onto_this_tree(LINE, "0003")
    assert (found.old, found.new, found.name) == ("b1", None, "0002-0005")
    with pytest.raises(NoHistoryError, match="0009"):
        onto_this_tree(LINE, "0009")


def test_what_git_says_is_read_without_what_is_gone() -> None:
    told = (
        "commit aa\n\nschemas/clickhouse/0001_a.sql\n"
        "commit bb aa\n\nschemas/clickhouse/0003_c.sql\nschemas/clickhouse/0002_b.sql\n"
        "commit cc bb xx\n\nschemas/clickhouse/0004_renamed_since.sql\n"
    )
    assert parse(told, {"0001_a.sql", "0002_b.sql", "0003_c.sql"}) == [
        Change("aa", "", ("0001_a.sql",)),
        Change("bb", "aa", ("0002_b.sql", "0003_c.sql")),
    ]


def git(root: Path, *words: str) -> str:
    env_free = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"]
    return subprocess.run(
        ["git", *env_free, *words], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()


def bring(root: Path, *names: str) -> str:
    folder = root / "schemas/clickhouse"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", " ".join(names) or "nothing")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


def test_a_real_history_with_a_branch(root: Path) -> None:
    bring(root, "0001_a.sql")
    second = bring(root)
    third = bring(root, "0002_b.sql")
    # On a branch a migration has another number until it is merged.
    git(root, "switch", "--quiet", "--create", "side")
    bring(root, "0009_c.sql")
    git(root, "mv", "schemas/clickhouse/0009_c.sql", "schemas/clickhouse/0003_c.sql")
    bring(root)
    git(root, "switch", "--quiet", "main")
    fourth = bring(root)
    git(root, "merge", "--quiet", "--no-ff", "--message", "merge", "side")
    merged = git(root, "rev-parse", "HEAD")
    found = changes(root)
    assert found == [
        Change(third, second, ("0002_b.sql",)),
        Change(merged, fourth, ("0003_c.sql",)),
    ]
    assert newest(root, found) == Pair(fourth, None, ("0003_c.sql",))
    git(root, "tag", "v0.1.0", second)
    assert newest(root, found) == Pair(second, None, ("0002_b.sql", "0003_c.sql"))
    git(root, "tag", "v0.10.0", fourth)
    git(root, "tag", "v0.9.0", third)
    assert newest(root, found) == Pair(fourth, None, ("0003_c.sql",))


def test_no_history_is_said(tmp_path: Path, root: Path) -> None:
    bring(root, "0001_a.sql")
    with pytest.raises(NoHistoryError, match="no tree of before"):
        changes(root)
    bring(root, "0002_b.sql")
    shallow = tmp_path / "shallow"
    git(root, "clone", "--quiet", "--depth=1", f"file://{root}", str(shallow))
    with pytest.raises(NoHistoryError, match="only the end of the history"):
        changes(shallow)
