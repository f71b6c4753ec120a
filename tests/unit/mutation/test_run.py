"""A test whose name has a value of the code in it is met by a mutant of that value too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.mutation import run as mutation_run
from tests.mutation.executed import ExecutedLines
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import Outcome, Task

TEXT = "SIZE = 4\n"
NAMES = ["test_size.py::test_size[4-1]", "test_size.py::test_size[4-2]", "test_size.py::test_it"]


def pytest_of_a_mutant(tasks: Mapping[Mutant, Task], jobs: int) -> Iterator[tuple[Mutant, Outcome]]:
    """With it there is `test_size[5-1]`, and what pytest does not find it runs nothing beside."""
    assert jobs == 1
    for mutant, task in tasks.items():
        absent = [name for name in task.tests if "[4" in name]
        text = "".join(f"ERROR: not found: /{name}\n(no match in any of [])\n" for name in absent)
        yield mutant, Outcome(4 if absent else 1, text, 0.1)


def test_a_mutant_that_renames_a_test_is_met_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation_run, "run_all", pytest_of_a_mutant)
    executed = ExecutedLines({"size.py": {1: NAMES}}, dict.fromkeys(NAMES, 0.1))
    mutants = mutants_of("size.py", TEXT)
    found = mutation_run.run(mutants, {"size.py": TEXT}, executed, jobs=1)
    assert [one.mutant for one in found] == mutants != []
    assert all(one.caught and one.tests == 2 for one in found)
