"""Which older trees there are to upgrade from: one before each migration, and what was released."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

MIGRATIONS: Final = "schemas/clickhouse"
#: What `--format` puts before each commit; no path begins so.
MARK: Final = "commit "


class NoHistoryError(Exception):
    """There is no git history to check older trees out of."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An upgrade: from the commit ``old`` to ``new``, None for this tree, over ``brings``."""

    old: str
    new: str | None
    #: Names of the migrations that the newer tree has and the older one has not, in their order.
    brings: tuple[str, ...]

    @property
    def name(self) -> str:
        """As ``0005-0008``: the first and the last migration's number."""
        numbers = [name.partition("_")[0] for name in self.brings] or ["none"]
        return "-".join(dict.fromkeys((numbers[0], numbers[-1])))


@dataclass(frozen=True, slots=True)
class Change:
    """A commit of the main line that brought migrations, and the one before it."""

    commit: str
    before: str
    brings: tuple[str, ...]


def git(root: Path, *words: str) -> str:
    """What git says. Raises `NoHistoryError`."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NoHistoryError("there is no git on this machine") from None
    if done.returncode:
        raise NoHistoryError(f"`git {' '.join(words)}`: {done.stderr.strip()[-300:]}")
    return done.stdout


def changes(root: Path) -> list[Change]:
    """The commits that brought migrations this tree still has, oldest first, but the very first.

    Raises `NoHistoryError` where there is no history, or only its end.
    """
    if git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise NoHistoryError("only the end of the history is here: `git fetch --unshallow`")
    told = git(
        *(root, "log", "--first-parent", "-m", "--no-renames", "--diff-filter=A", "--reverse"),
        *("--name-only", f"--format={MARK}%H %P", "--", MIGRATIONS),
    )
    here = {path.name for path in (root / MIGRATIONS).glob("*.sql")}
    found = [each for each in parse(told, here) if each.before]
    if not found:
        raise NoHistoryError("the history has no tree of before a migration")
    return found


def parse(told: str, here: set[str]) -> list[Change]:
    """Read what `git log` said, leaving out migrations that are not ``here``. PURE."""
    found: dict[str, Change] = {}
    for part in re.split(f"^{MARK}", told, flags=re.MULTILINE)[1:]:
        head, *lines = part.splitlines()
        commit, *parents = head.split()
        names = sorted(Path(line).name for line in lines if line)
        brings = tuple(name for name in names if name in here)
        if brings:
            before = parents[0] if parents else ""
            found[commit] = Change(commit, before, brings)
    return list(found.values())


def steps(line: Sequence[Change]) -> list[Pair]:
    """From before each migration to before the next, and from before the last to this tree."""
    pairs = [Pair(one.before, next_.before, one.brings) for one, next_ in pairwise(line)]
    return [*pairs, Pair(line[-1].before, None, line[-1].brings)]


def onto_this_tree(line: Sequence[Change], first: str) -> Pair:
    """From before the migration whose number is ``first`` to this tree at once.

    Raises `NoHistoryError` where no change brought it.
    """
    for number, change in enumerate(line):
        if any(name.startswith(first) for name in change.brings):
            brings = sorted(name for later in line[number:] for name in later.brings)
            return Pair(change.before, None, tuple(brings))
    raise NoHistoryError(f"no commit brought the migration {first}")


def newest(root: Path, line: Sequence[Change]) -> Pair:
    """From the release before this tree, or where there is none from before its last migration."""
    tags = git(root, "tag", "--list", "v*.*.*", "--merged", "HEAD", "--sort=-version:refname")
    if not (released := tags.split()):
        return steps(line)[-1]
    there = git(root, "ls-tree", "--name-only", released[0], f"{MIGRATIONS}/").splitlines()
    old = {Path(name).name for name in there}
    here = sorted(path.name for path in (root / MIGRATIONS).glob("*.sql"))
    commit = git(root, "rev-parse", f"{released[0]}^{{commit}}").strip()
    return Pair(commit, None, tuple(name for name in here if name not in old))
