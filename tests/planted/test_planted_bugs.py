"""Bugs are planted one at a time; the unit tests, which need no processes, must see each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, UNIT, Bug

ROOT = Path(__file__).parents[2]
BUGS_MIN = 40


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code and its unit tests, to plant bugs in."""
    folder = tmp_path_factory.mktemp("planted")
    ignored = shutil.ignore_patterns("__pycache__", "integration", "gateway-clients", ".venv")
    for name in ("services", "schemas", "tests", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run_tests(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(f"{UNIT}/{test}" for test in tests)],
        cwd=copy,
        # The copy before the installed project, and nothing compiled beside a text that changes.
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_there_are_bugs_enough_and_no_two_alike() -> None:
    assert len(BUGS) >= BUGS_MIN
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert len({(bug.file, bug.old, bug.new) for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("test", sorted({test for bug in BUGS for test in bug.tests}))
def test_without_a_bug_the_tests_pass(test: str, copy: Path) -> None:
    done = run_tests(copy, (test,))
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_seen(bug: Bug, copy: Path) -> None:
    path = copy / bug.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bug.old) >= 1, f"{bug.file} does not say {bug.old!r} any more"
    path.write_text(text.replace(bug.old, bug.new, 1), encoding="utf-8")
    try:
        done = run_tests(copy, bug.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    # 1: tests failed. Anything else, such as a text that does not parse, proves nothing.
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-1000:]
    assert " failed" in done.stdout and "SyntaxError" not in done.stdout
