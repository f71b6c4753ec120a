"""Plants each bug and runs the tests that must see it: `python -m tests.planted.run`."""

from __future__ import annotations

import json
import sys
import time
from typing import Final

from tests.mutation.planting import ROOT, RunningTests, import_what_is_heavy
from tests.planted.bugs import BUGS, UNIT, Bug

#: Tests that do not end by then would have seen the bug: they never end.
SECONDS_MAX: Final = 240.0
JOBS: Final = 2


def planted(bug: Bug) -> dict[str, str]:
    """The text with the bug, by its file. Raises `ValueError` where its old text is gone."""
    text = (ROOT / bug.file).read_text(encoding="utf-8")
    if bug.old not in text:
        raise ValueError(f"{bug.file} does not say {bug.old!r} any more")
    return {bug.file: text.replace(bug.old, bug.new, 1)}


def what_became_of(tasks: dict[str, tuple[dict[str, str], tuple[str, ...]]]) -> dict[str, str]:
    """Run the tests of each task with its texts; "passed" or what pytest said, by name."""
    waiting = list(tasks.items())
    running: dict[str, RunningTests] = {}
    found: dict[str, str] = {}
    while waiting or running:
        while waiting and len(running) < JOBS:
            name, (texts, tests) = waiting.pop(0)
            running[name] = RunningTests(texts, [f"{UNIT}/{test}" for test in tests], SECONDS_MAX)
        for name, child in list(running.items()):
            outcome = child.outcome()
            if outcome is not None:
                del running[name]
                ended = {0: "passed", 1: "failed", None: "no end"}.get(outcome.code, "not run")
                found[name] = f"{ended}\n{outcome.output[-3000:]}"
                print(f"{name}: {ended}, {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
        time.sleep(0.02)
    return found


def main() -> None:
    """Write to stdout, as JSON, what became of the tests without a bug and with each."""
    import_what_is_heavy()
    files = sorted({test for bug in BUGS for test in bug.tests})
    healthy: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
        test: ({}, (test,)) for test in files
    }
    bugs = {bug.name: (planted(bug), bug.tests) for bug in BUGS}
    print(json.dumps({"without": what_became_of(healthy), "with": what_became_of(bugs)}))


if __name__ == "__main__":
    main()
