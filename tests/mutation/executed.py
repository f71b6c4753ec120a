"""Which tests execute which lines, and how long each takes: so that a mutant meets only its own."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.mutation.planting import ROOT

#: Set to the files to be watched, and to where the map goes, for the run that finds out.
FILES_VARIABLE: Final = "WATTOKEN_MUTATION_FILES"
OUT_VARIABLE: Final = "WATTOKEN_MUTATION_MAP"


class ExecutedLines:
    """A map from lines to the tests that execute them, fastest first."""

    def __init__(self, lines: dict[str, dict[int, list[str]]], seconds: dict[str, float]) -> None:
        self._lines = lines
        self.seconds = seconds

    @classmethod
    def read(cls, path: Path) -> ExecutedLines:
        """Read what `record` wrote."""
        data = json.loads(path.read_text())
        lines = {
            file: {int(line): tests for line, tests in by_line.items()}
            for file, by_line in data["lines"].items()
        }
        return cls(lines, data["seconds"])

    def tests_of(self, file: str, first: int, last: int, seconds_max: float) -> list[str]:
        """Tests that execute any of the lines, the fastest first, as many as the time allows.

        Of a line that runs when its module is imported, every test of the module is one.
        """
        by_line = self._lines.get(file, {})
        found = {test for line in range(first, last + 1) for test in by_line.get(line, ())}
        if not found:
            found = {test for tests in by_line.values() for test in tests}
        chosen: list[str] = []
        spent = 0.0
        for test in sorted(found, key=lambda name: (self.seconds[name], name)):
            spent += self.seconds[test]
            if chosen and spent > seconds_max:
                break
            chosen.append(test)
        return chosen


class Recorder:
    """A pytest plugin that records the lines each test executes."""

    def __init__(self, files: Sequence[str], out: Path) -> None:
        from coverage import Coverage

        self._out = out
        self._files = files
        self._coverage: Any = Coverage(
            data_file=None, include=[str(ROOT / file) for file in files], config_file=False
        )
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_sessionstart(self) -> None:
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        began = time.monotonic()
        result = yield
        self._seconds[item.nodeid] += time.monotonic() - began
        return result

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {}
        for file in self._files:
            contexts = data.contexts_by_lineno(str(ROOT / file))
            lines[file] = {
                line: sorted(name for name in names if name) for line, names in contexts.items()
            }
        self._out.write_text(json.dumps({"lines": lines, "seconds": self._seconds}))


def pytest_configure(config: pytest.Config) -> None:
    """Record, where this module is named as a plugin."""
    files = os.environ[FILES_VARIABLE].split(os.pathsep)
    config.pluginmanager.register(Recorder(files, Path(os.environ[OUT_VARIABLE])))
