"""`make clusters`: clusters of brokers and of databases under load, judged to the token.

``python -m tests.clusters.run --only brokers,continents`` plays some, and leaves in the report
what it says of the others.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from services.local_stack.errors import StackError
from tests.chaos.database import DatabaseAwayError
from tests.clusters.brokers import brokers
from tests.clusters.continents import continents
from tests.clusters.errors import ScenarioError
from tests.clusters.planted import Plant
from tests.clusters.replica import replica
from tests.clusters.report import Outcome, line, merged
from tests.clusters.shards import shards
from tests.clusters.world import World
from tests.upgrades.sums import Verdict
from tests.upgrades.trees import ROOT, TreeError

Say = Callable[[str], None]
Scenario = Callable[[World], None]
REPORT: Final = ROOT / "docs" / "clusters.json"
RATE: Final = 150.0
PATIENCE_SECONDS: Final = 120.0
#: What a scenario that does not come to its end may raise: it is told, and the next one is played.
FAULTS: Final = (ScenarioError, TreeError, StackError, DatabaseAwayError, RuntimeError)
SCENARIOS: Final[Mapping[str, Scenario]] = {
    "brokers": brokers,
    "continents": continents,
    "replica": replica,
    "shards": shards,
}


@dataclass(frozen=True, slots=True)
class Play:
    """A scenario, with a fault of the log if one is planted."""

    scenario: str
    plant: Plant | None = None

    @property
    def name(self) -> str:
        """As `Outcome.name`."""
        return self.scenario if self.plant is None else f"{self.scenario}+{self.plant.value}"


PLAYS: Final = (
    *(Play(name) for name in SCENARIOS),
    *(Play("continents", plant) for plant in Plant),
)


def run_one(
    folder: Path,
    play: Play,
    say: Say,
    *,
    rate: float = RATE,
    patience: float = PATIENCE_SECONDS,
    scenario: Scenario | None = None,
) -> Outcome:
    """Play a scenario, or a brief form of it, and judge it."""
    started = time.monotonic()
    steps: list[str] = []

    def step(text: str) -> None:
        steps.append(text)
        say(f"  {play.name}, {time.monotonic() - started:.0f} s: {text}")

    verdicts: list[Verdict] = []
    failure = ""
    with World(folder, rate=rate, patience=patience, step=step, plant=play.plant) as world:
        try:
            (scenario or SCENARIOS[play.scenario])(world)
            verdicts = world.compare()
        except FAULTS as error:
            failure = f"{type(error).__name__}: {error}"
        senders = [site.sender for site in world.sites]
    return Outcome(
        play.scenario,
        None if play.plant is None else play.plant.value,
        sum(len(sender.events) for sender in senders),
        sum(sender.resent for sender in senders),
        time.monotonic() - started,
        tuple(steps),
        tuple(verdicts),
        failure,
    )


def chosen(only: str | None) -> list[Play]:
    """The plays that are wanted, by name."""
    wanted = set(only.split(",")) if only else {play.name for play in PLAYS}
    return [play for play in PLAYS if play.name in wanted]


def keep(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write what came of some into the report, which keeps what it says of others."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    report = merged(before, [play.name for play in PLAYS], outcomes)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.clusters.run", description=__doc__)
    parser.add_argument(
        "--only", help=f"some of {', '.join(play.name for play in PLAYS)}, with commas"
    )
    parser.add_argument("--rate", type=float, default=RATE, help="events a second, at each site")
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="for one step")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report goes")
    parser.add_argument("--logs", type=Path, help="folder that keeps the processes' logs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Play the scenarios; 1 if any was not as it must be."""
    options, outcomes = options_of(arguments), list[Outcome]()
    with TemporaryDirectory() as folder:
        for play in chosen(options.only):
            place = (options.logs or Path(folder)) / play.name
            # Of a run that was cut off.
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            found = run_one(place, play, print, rate=options.rate, patience=options.patience)
            outcomes.append(found)
            print(line(found), flush=True)
            # After each, for the whole takes long.
            keep(options.report, outcomes)
    return 0 if outcomes and all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
