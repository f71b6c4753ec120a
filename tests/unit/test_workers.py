"""Which worker of a test run gets which file next."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest

from tests.workers import OPTION, ByNeeds

FILES = [
    "tests/chaos/test_chaos.py",
    "tests/containers/",
    "tests/contract/test_links.py",
    "tests/integration/test_stack.py",
    "tests/unit/test_docs.py",
]


class Worker:
    """A node of pytest-xdist, as far as it is asked."""

    def __init__(self, number: int) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.shutting_down = False
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def scheduler(workers: int, *options: str) -> Any:
    config: Any = SimpleNamespace(
        option=SimpleNamespace(tx=["popen"] * workers, loadscopereorder=False),
        getoption=lambda name: name in options,
        getvalue=lambda name: ["popen"] * workers,
    )
    made = ByNeeds(config, None)
    made.workqueue = OrderedDict((file, {f"{file}::test": False}) for file in FILES)
    return made


def order(made: Any, worker: int) -> list[str]:
    """What one worker gets, one file after the other, if nobody else takes any."""
    node = Worker(worker)
    tests = [test for unit in made.workqueue.values() for test in unit]
    made.registered_collections = {node: tests}
    while made.workqueue and not node.shutting_down:
        made._assign_work_unit(node)
    return [tests[index].partition("::")[0] for index in node.sent]


def test_without_the_option_files_go_in_their_order() -> None:
    assert order(scheduler(3), 0) == order(scheduler(3), 2) == FILES


@pytest.mark.parametrize("worker", [0, 1])
def test_what_needs_a_stack_comes_first_and_nothing_is_left(worker: int) -> None:
    alone = [file for file in FILES if file.startswith(("tests/unit", "tests/contract"))]
    with_a_stack = [file for file in FILES if file not in alone]
    assert order(scheduler(3, OPTION), worker) == [*with_a_stack, *alone]


def test_the_last_worker_takes_only_what_needs_none() -> None:
    made = scheduler(3, OPTION)
    assert order(made, 2) == ["tests/contract/test_links.py", "tests/unit/test_docs.py"]
    assert list(made.workqueue) == [file for file in FILES if file in made.workqueue]


def test_a_worker_that_is_alone_takes_everything() -> None:
    assert set(order(scheduler(1, OPTION), 0)) == set(FILES)


def test_all_tests_of_containers_are_one_unit() -> None:
    made = scheduler(2)
    units = {made._split_scope(f"tests/containers/{name}.py::test") for name in ("a", "b")}
    assert len(units) == 1
    assert made._split_scope("tests/unit/a.py::test[x::y]") == "tests/unit/a.py"
