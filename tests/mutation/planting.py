"""Tests run against a changed text of the code: in a fork, with nothing written to disk.

What takes long to import and is not ours is imported once, before the fork; our own modules are
imported in the child, and those that are changed from the text that is given. Processes that the
tests start have the code as it is.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, TypeVar, cast

from tests.versions.effort import BRIEF

T = TypeVar("T", bound=Hashable)
POLL_SECONDS: Final = 0.02
ROOT: Final = Path(__file__).parents[2]
#: Imported before the fork.
HEAVY: Final = (
    *("pytest", "hypothesis", "hypothesis.strategies", "hypothesis.extra.numpy", "numpy"),
    *("aiokafka", "confluent_kafka", "confluent_kafka.admin", "clickhouse_connect", "faust"),
    *("msgspec", "pydantic", "pydantic_settings", "structlog", "xxhash", "coverage"),
    # Plugins that pytest loads in each child.
    *("_hypothesis_pytestplugin", "pytest_timeout", "anyio.pytest_plugin"),
    *("schemathesis", "schemathesis.pytest.plugin", "yaml", "typer", "starlette.applications"),
)
OPTIONS: Final = (
    *("-q", "-x", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-p", "no:randomly", "--rootdir", str(ROOT)),
    # That a test fails is enough: the least example that it fails with would take as long again.
    *("--hypothesis-profile", "any-failure"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the tests ended: pytest's exit code, None if they did not end in time."""

    code: int | None
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return self.code == 0

    @property
    def ran(self) -> bool:
        """Whether tests were run at all: 3 to 5 are pytest's own faults, and no test found."""
        return self.code not in (3, 4, 5)


class RunningTests:
    """Tests under way in a child process."""

    def __init__(self, texts: Mapping[str, str], tests: Sequence[str], seconds_max: float) -> None:
        self._began = time.monotonic()
        self._deadline = self._began + seconds_max
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `outcome`)
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            _be_the_child(texts, tests, self._output.fileno())

    def outcome(self) -> Outcome | None:
        """Say how it ended, or None as long as it goes on. It is ended when its time is up."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        timed_out = not pid and time.monotonic() > self._deadline
        if timed_out:
            os.killpg(self._pid, signal.SIGKILL)
            pid, status = os.waitpid(self._pid, 0)
        if not pid:
            return None
        self._output.seek(0)
        text = self._output.read().decode(errors="replace")
        self._output.close()
        code = None if timed_out else os.waitstatus_to_exitcode(status)
        return Outcome(code, text, time.monotonic() - self._began)


@dataclass(frozen=True, slots=True)
class Task:
    """Tests to be run with some texts, by path from the root, in place of what the files say."""

    texts: Mapping[str, str]
    tests: Sequence[str]
    seconds_max: float = 300


def run_all(tasks: Mapping[T, Task], jobs: int) -> Iterator[tuple[T, Outcome]]:
    """Run the tests of each task, so many at a time; gives outcomes as they come."""
    waiting = list(tasks.items())[::-1]
    running: dict[T, RunningTests] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            key, task = waiting.pop()
            running[key] = RunningTests(task.texts, task.tests, task.seconds_max)
        for key, child in list(running.items()):
            outcome = child.outcome()
            if outcome is not None:
                del running[key]
                yield key, outcome
        time.sleep(POLL_SECONDS)


def import_what_is_heavy() -> None:
    """Import what every child needs and what is not under test."""
    for name in HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    # Of what is here at the fork no child need look whether it is garbage.
    gc.freeze()


def run_tests(texts: Mapping[str, str], tests: Sequence[str], seconds_max: float = 300) -> Outcome:
    """Run the tests of one task, and wait for them."""
    ((_, outcome),) = run_all({"it": Task(texts, tests, seconds_max)}, jobs=1)
    return outcome


def _be_the_child(texts: Mapping[str, str], tests: Sequence[str], output: int) -> None:
    code = 3
    try:
        os.setpgid(0, 0)
        # Whoever planted it takes part of the examples, perhaps; that it is seen takes all of them.
        os.environ.pop(BRIEF, None)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        import pytest

        sys.dont_write_bytecode = True
        sys.meta_path.insert(0, cast(MetaPathFinder, _TextFinder(texts)))
        os.chdir(ROOT)
        code = int(pytest.main([*OPTIONS, *tests]))
        sys.stdout.flush()
    finally:
        os._exit(code)


class _TextFinder:
    """Finds the modules whose text is given; all others are found as ever."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {module_name(path): (ROOT / path, text) for path, text in texts.items()}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._texts:
            return None
        file, text = self._texts[name]
        return spec_from_file_location(name, file, loader=_TextLoader(name, str(file), text))


class _TextLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        code: Any = compile(self._text, self.path, "exec", dont_inherit=True)
        return cast(CodeType, code)


def module_name(path: str) -> str:
    """Give the name by which a file of the project is imported."""
    return path.removesuffix(".py").replace("/", ".")
