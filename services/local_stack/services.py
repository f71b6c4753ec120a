"""The services as child processes: `wattoken ingest`, `aggregator`, `exporter` and `canary`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import http_answers

#: Each service that a pipeline has, and the port it has by default.
USUAL_PORTS = {"ingest": 8080, "aggregator": 8081, "exporter": 9700}
#: That of a canary, where there is one.
CANARY_PORT = 9701


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key of ingest, and what events sent with it are booked on."""

    tenant: str
    region: str
    key: str


def wattoken_command(*arguments: str) -> list[str]:
    """The command line with the interpreter that runs this."""
    return [sys.executable, "-m", "services.cli", *arguments]


def service_plan(
    service: str,
    port: int,
    env: Mapping[str, str],
    log_path: Path,
    directory: Path,
    ca_file: Path | None = None,
) -> ChildPlan:
    """A service on loopback; it is ready when its /readyz says so, over https if ``ca_file``."""
    scheme = "http" if ca_file is None else "https"
    prefix = f"WATTOKEN_{service.upper()}"
    return ChildPlan(
        name=service,
        command=wattoken_command(service),
        log_path=log_path,
        ready=http_answers(f"{scheme}://{LOOPBACK}:{port}/readyz", ca_file),
        ready_timeout_seconds=60,
        directory=directory,
        env={**env, f"{prefix}_HOST": LOOPBACK, f"{prefix}_PORT": str(port)},
        stop_grace_seconds=30,
    )
