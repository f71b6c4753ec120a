"""Three minutes of the chaos harness with a fixed seed; half an hour is `make chaos`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.local_stack.clickhouse import clickhouse_library
from services.local_stack.errors import ComponentMissing
from services.local_stack.kafka import kafka_jars

pytestmark = [pytest.mark.faults, pytest.mark.stack]

SEED = 20261125
MINUTES = 3
#: Fewer, and the three minutes would say little. A quiet machine gets through three times as many.
FAULTS_MIN = 8
KINDS_MIN = 6
#: Here the machine is shared with other tests. `make chaos` allows 30 seconds.
RECOVERY_SECONDS = 120


def require_components() -> None:
    """Skip where the real broker or database cannot be had; that is a failure in CI."""
    try:
        kafka_jars(print)
        clickhouse_library(print)
    except ComponentMissing as error:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"CI must have every component: {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.mark.timeout(900)
def test_three_minutes_of_faults_leave_every_total_exact(tmp_path: Path) -> None:
    require_components()
    out = tmp_path / "chaos.json"
    command = [sys.executable, "-m", "services.cli", "chaos", "--seed", str(SEED)]
    done = subprocess.run(
        [
            *(*command, "--minutes", str(MINUTES), "--out", str(out)),
            *("--recovery-seconds", str(RECOVERY_SECONDS)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout[-6000:] + done.stderr[-3000:]
    assert out.exists(), said
    result = json.loads(out.read_text())
    assert result["exact"] and result["lost"] == result["double_counted"] == 0, said
    assert result["problems"] == [], said
    assert done.returncode == 0, said
    assert result["seed"] == SEED
    assert result["faults_injected"] >= FAULTS_MIN, said
    assert len(result["faults"]) >= KINDS_MIN, said
    assert result["events_acknowledged"] > 5_000
    assert result["duplicates_dropped"] > 300
