"""Tests that are run once more, in a process of their own, on another ClickHouse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.versions.effort import BRIEF

ROOT = Path(__file__).parents[2]
#: What every version must pass: it needs a ClickHouse and nothing else. `make test` runs the first:
#: every migration, and what all services ask. The oracles take long: `make test-versions`.
QUERIES = ("tests/integration/test_clickhouse_queries.py",)
ORACLES = (
    "tests/integration/test_utility_views.py",
    "tests/integration/test_billing.py",
)
#: What the oldest must pass besides; newer ones are likelier to be as the local stack's is.
ON_THE_OLDEST = ("tests/integration/test_native_block.py", "tests/integration/test_migrations.py")
#: What can be had as a server must pass this besides, in `make test`.
ON_EVERY_SERVER = ("tests/integration/test_clickhouse_users.py",)
#: Half an hour off UTC's, so that what depends on it shows.
FAR_ZONE = "Asia/Kolkata"
TIMEOUT_SECONDS = 280


def assert_passes_on(version: str, *files: str, time_zone: str = "UTC") -> None:
    """Run the files on a version of ClickHouse; all must pass, and none may be skipped.

    ``time_zone`` is the server's and that of its clients, in which nothing may depend on it.
    """
    done = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
            *["--clickhouse", version, *files],
        ],
        cwd=ROOT,
        # Of the run that this one is a part of, nothing is to be known.
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        | {"TZ": time_zone, BRIEF: "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-8000:]
    last = done.stdout.strip().splitlines()[-1]
    assert re.fullmatch(r"\d+ passed.*", last) and "skipped" not in last, said[-8000:]
