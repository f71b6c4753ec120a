"""The unit tests on the newest supported Python, where this machine has it."""

from __future__ import annotations

import os
import subprocess

import pytest

from services.platform.supported import PYTHON
from tests.versions import python
from tests.versions.effort import BRIEF

NEWEST = ".".join(map(str, PYTHON.newest))


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_the_unit_tests_pass_on_the_newest_python() -> None:
    interpreter = python.environment(PYTHON.newest)
    if not interpreter.exists():
        # Registries have no interpreters, so no machine can be asked to have every one.
        pytest.skip(
            f"Python {NEWEST} is not on this machine, or `make python-versions` did not run"
        )
    parts = ["tests/unit/services", "tests/unit/schemas"]
    done = subprocess.run(
        [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *parts],
        cwd=python.ROOT,
        env={**os.environ, BRIEF: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
