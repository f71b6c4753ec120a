"""`make bench-check`: who takes turns with whom, and when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import check
from bench.check import Tree, older_tree
from bench.errors import BenchError
from bench.machine import ROOT, git


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Turns without a bench: this tree makes 95 events/s, the other 100."""
    taken: list[str] = []

    def turn(tree: Tree, events: int) -> list[float]:
        taken.append(tree.name)
        return [95.0] * 3 if tree.name == "this tree" else [99.0, 100.0, 180.0]

    for path in check.LOAD_FILES:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    monkeypatch.setattr(check, "turn", turn)
    monkeypatch.setattr(check, "older_tree", lambda commit, say: Tree("before", tmp_path))
    return taken


def test_the_two_take_turns_and_the_medians_decide(turns: list[str]) -> None:
    said: list[str] = []
    assert check.run("HEAD~1", 5.1, 5_000, 2, said.append)
    assert turns == ["before", "this tree", "this tree", "before"]
    assert said[-1].startswith("medians: 95 events/s, before 100: -5.0 %")
    assert not check.run("HEAD~1", 4.9, 5_000, 1, said.append)


def test_another_load_is_told(turns: list[str], tmp_path: Path) -> None:
    (tmp_path / "bench" / "generator.py").write_text("other")
    said: list[str] = []
    check.run("HEAD~1", 5, 5_000, 1, said.append)
    assert said[0].startswith("bench/generator.py is another one in before")


def test_a_commit_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "--quiet", folder=tmp_path)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    with pytest.raises(BenchError, match="feedbeef is no commit"):
        older_tree("feedbeef", print)


def test_a_turn_that_fails_says_what_it_said_last(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="(?s)failed:.*out of tokens"):
        check.command(tmp_path, "sh", "-c", "echo out of tokens >&2; exit 3")
