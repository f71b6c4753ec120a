"""Plants each bug and runs the tests that must see it: `python -m tests.planted.run`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Final

from tests.mutation.planting import ROOT, Task, import_what_is_heavy, run_all
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


def what_became_of(tasks: Mapping[str, Task]) -> dict[str, str]:
    """Run the tests of each task; "passed" or another word and what pytest said, by name."""
    found: dict[str, str] = {}
    for name, outcome in run_all(tasks, JOBS):
        ended = {0: "passed", 1: "failed", None: "no end"}.get(outcome.code, "not run")
        found[name] = f"{ended}\n{outcome.output[-3000:]}"
        print(f"{name}: {ended}, {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
    return found


def task(texts: Mapping[str, str], tests: tuple[str, ...]) -> Task:
    """The task to run unit tests of the aggregator, named by their paths below `UNIT`."""
    return Task(texts, [f"{UNIT}/{test}" for test in tests], SECONDS_MAX)


def main() -> None:
    """Write to stdout, as JSON, what became of the tests without a bug and with each."""
    import_what_is_heavy()
    files = sorted({test for bug in BUGS for test in bug.tests})
    healthy = {test: task({}, (test,)) for test in files}
    bugs = {bug.name: task(planted(bug), bug.tests) for bug in BUGS}
    print(json.dumps({"without": what_became_of(healthy), "with": what_became_of(bugs)}))


if __name__ == "__main__":
    main()
