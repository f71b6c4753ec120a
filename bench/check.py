"""`make bench-check`: this tree beside an older commit, so that no speed is lost unseen.

The older commit is cloned beside the stack's state and set up by its own Makefile. Then the two
take turns, each with its own bench and the aggregator alone: what disturbs the machine disturbs
both, and the ratio of the medians counts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.machine import ROOT, git
from services.local_stack.cache import Report as Say

#: Valid runs of each in one turn; starting broker and database takes longer than they do.
RUNS_A_TURN: Final = 3
TURN_SECONDS_MAX: Final = 900.0
#: What the load is made by: where it differs, the two do not measure the same.
LOAD_FILES: Final = ("bench/generator.py", "bench/fill.py")


@dataclass(slots=True)
class Tree:
    """A checkout, and what was measured in it."""

    name: str
    folder: Path
    events_per_second: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of all runs so far."""
        return statistics.median(self.events_per_second)


def run(against: str, loss_percent: float, events: int, rounds: int, say: Say) -> bool:
    """Measure both; False if this tree's median is lower by more than ``loss_percent``.

    Raises `BenchError` where the commit is unknown or a turn fails.
    """
    other = older_tree(against, say)
    this = Tree("this tree", ROOT)
    for path in LOAD_FILES:
        if (ROOT / path).read_bytes() != (other.folder / path).read_bytes():
            say(f"{path} is another one in {other.name}: look whether both make the same load")
    for number in range(rounds):
        # Who goes first changes, so that neither always has the warmer machine.
        for tree in (other, this) if number % 2 == 0 else (this, other):
            found = turn(tree, events)
            tree.events_per_second += found
            runs = ", ".join(f"{rate:,.0f}" for rate in found)
            say(f"round {number + 1}, {tree.name}: {runs} events/s")
    change = percent_more(this.median, other.median)
    say(
        f"medians: {this.median:,.0f} events/s, {other.name} {other.median:,.0f}: {change:+.1f} %"
        f" (at most {-loss_percent:g} % is allowed)"
    )
    return change >= -loss_percent


def percent_more(this: float, other: float) -> float:
    """By how many percent the one is more than the other."""
    return 100 * (this / other - 1)


def older_tree(commit: str, say: Say) -> Tree:
    """Check a commit out and set it up, or find it as it was left."""
    name = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", folder=ROOT).strip()
    if not name:
        raise BenchError(f"{commit} is no commit of this repository")
    folder = ROOT / ".wattoken" / "bench-check" / name[:12]
    if not (folder / ".git").exists():
        say(f"checking out {name[:12]}")
        command(ROOT, "git", "clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
    command(folder, "git", "checkout", "--quiet", "--detach", name)
    say(f"setting {name[:12]} up")
    command(folder, "make", "--silent", "setup", "bench-peers")
    return Tree(name[:12], folder)


def turn(tree: Tree, events: int) -> list[float]:
    """Events/s of each valid run of a turn."""
    results = tree.folder / ".wattoken" / "bench-check.json"
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    python = sys.executable if tree.folder == ROOT else ".venv/bin/python"
    command(
        tree.folder,
        *(python, "-m", "bench", "run", "--only", "wattoken", "--runs", str(RUNS_A_TURN)),
        *("--events", str(events), "--results", str(results)),
        *("--chart", str(results.with_suffix(".png"))),
    )
    found = json.loads(results.read_text(encoding="utf-8"))
    return [float(rate) for rate in found["aggregator_runs"]["wattoken"]]


def command(folder: Path, *words: str) -> None:
    """Run a command in a checkout. Raises `BenchError` with the end of what it said."""
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TURN_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(words)} in {folder} took too long") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-10:]
        raise BenchError(f"{' '.join(words)} in {folder} failed:\n" + "\n".join(said))
