"""`make upgrades`: an upgrade over each migration, and over many at once, under load.

``python -m tests.upgrades.run --only 0015,0017-0024`` takes some, and leaves in the report what it
says of the others. Without git history it says so and does nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from services.local_stack.errors import StackError
from services.local_stack.infrastructure import Infrastructure
from tests.chaos.database import DatabaseAwayError
from tests.upgrades import history
from tests.upgrades.history import NoHistoryError, Pair
from tests.upgrades.orders import SIDE_BY_SIDE_SINCE, Order, order_of
from tests.upgrades.report import Outcome, entry, line, merged
from tests.upgrades.trees import ROOT, Tree, TreeError, older_tree, this_tree
from tests.upgrades.upgrade import BY_ORDER, Upgrade
from tests.upgrades.world import UpgradeError, World

Say = Callable[[str], None]
REPORT: Final = ROOT / "docs" / "upgrades.json"
RATE: Final = 150.0
PATIENCE_SECONDS: Final = 120.0
#: What an upgrade that does not come to its end may raise: it is told, and the next one is made.
FAULTS: Final = (UpgradeError, TreeError, StackError, DatabaseAwayError, RuntimeError)
#: `make` says it so, where it goes on all the same.
SKIPPED: Final = 0


def pairs(root: Path) -> list[Pair]:
    """Each step, from the first tree to this one at once, and from the furthest side by side.

    Raises `NoHistoryError`.
    """
    found = history.changes(root)
    first = found[0].brings[0].partition("_")[0]
    far = [history.onto_this_tree(found, number) for number in (first, SIDE_BY_SIDE_SINCE)]
    return [*history.steps(found), *far]


def run_one(
    infrastructure: Infrastructure,
    pair: Pair,
    order: Order,
    say: Say,
    *,
    rate: float = RATE,
    patience: float = PATIENCE_SECONDS,
    upgrade: Upgrade | None = None,
) -> Outcome:
    """Make an upgrade, as its order says or as ``upgrade`` does, and judge it."""
    started = time.monotonic()
    steps: list[str] = []

    def step(text: str) -> None:
        steps.append(text)
        say(f"  {pair.name}, {time.monotonic() - started:.0f} s: {text}")

    name = re.sub(r"\W", "_", f"up_{pair.name}_{pair.old[:7]}_{order.name}").lower()
    verdict, failure = None, ""
    with World(infrastructure, name, rate, patience) as world:
        try:
            old, new = older_tree(pair.old, say), tree_of(pair.new, say)
            (upgrade or BY_ORDER[order])(world, old, new, step)
            verdict = world.compare()
        except FAULTS as error:
            failure = f"{type(error).__name__}: {error}"
        sender = world.sender
    seconds = time.monotonic() - started
    events, resent = len(sender.events), sender.resent
    return Outcome(pair, order, events, resent, seconds, tuple(steps), verdict, failure)


def tree_of(commit: str | None, say: Say) -> Tree:
    """The tree of a commit, this one for None. Raises `TreeError`."""
    return this_tree() if commit is None else older_tree(commit, say)


def chosen(of: Sequence[Pair], only: str | None) -> list[Pair]:
    """The upgrades that are wanted: by name, else by a migration that they bring."""
    if not only:
        return list(of)
    wanted = set(only.split(","))
    migrations = wanted - {pair.name for pair in of}
    return [
        pair
        for pair in of
        if pair.name in wanted or migrations & {name[:4] for name in pair.brings}
    ]


def keep(path: Path, every: Sequence[Pair], outcomes: Sequence[Outcome]) -> None:
    """Write what came of some upgrades into the report, which keeps what it says of others."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    commit = history.git(ROOT, "rev-parse", "HEAD").strip()
    fresh = [entry(commit, outcome) for outcome in outcomes]
    report = merged(before, [pair.name for pair in every], fresh)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrades.run", description=__doc__)
    parser.add_argument("--only", help="migrations or pairs, as 0015 or 0017-0024, with commas")
    parser.add_argument("--order", choices=[each.name for each in Order], help="try another")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second")
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="for one step")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report goes")
    parser.add_argument("--logs", type=Path, help="folder that keeps the processes' logs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Make the upgrades; 1 if any was not exact."""
    options, say = options_of(arguments), print
    try:
        every = pairs(ROOT)
    except NoHistoryError as error:
        say(f"upgrades: skipped: {error}")
        return SKIPPED
    outcomes: list[Outcome] = []
    with TemporaryDirectory() as folder:
        state = options.logs or Path(folder)
        with Infrastructure(state, broker="kafka", prometheus="none") as infrastructure:
            for pair in chosen(every, options.only):
                order = Order[options.order] if options.order else order_of(pair.brings)
                found = run_one(
                    *(infrastructure, pair, order, say),
                    rate=options.rate,
                    patience=options.patience,
                )
                outcomes.append(found)
                say(line(found))
                # After each, for the whole takes long.
                keep(options.report, every, outcomes)
    return 0 if outcomes and all(outcome.exact for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
