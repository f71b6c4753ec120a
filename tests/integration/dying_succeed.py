"""`wattoken succeed` that kills itself at a point, its first argument: ``before:decide_ends``.

A point is before or after a step of `services.operate.succession.steps`, or ``within`` the writing
of ends, between what Kafka and what ClickHouse is told.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from services import cli
from services.operate.succession import ending, steps
from services.operate.succession.case import Case, Site


def die(*_: Any) -> None:
    """End at once, as when the power fails."""
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def dying(step: steps.Step, when: str) -> steps.Step:
    """A step that is the last thing done, or that is not even begun."""

    def act(site: Site, case: Case) -> None:
        if when == "after":
            step(site, case)
        die()

    return act


def main() -> None:
    """Run the command with what follows the point."""
    when, _, name = sys.argv.pop(1).partition(":")
    if when == "within":
        ending.write_succession = die  # type: ignore[assignment, attr-defined]
    steps.STEPS = tuple(  # type: ignore[misc]
        dying(step, when) if step.__name__ == name and when != "within" else step
        for step in steps.STEPS
    )
    sys.argv.insert(1, "succeed")
    cli.main()


if __name__ == "__main__":
    main()
