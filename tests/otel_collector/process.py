"""The Collector as a process, with the configuration of docs/gateways.md as it stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import port_listens

PAGE = Path(__file__).parents[2] / "docs" / "gateways.md"
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What the page says for addresses and for the folder, and nothing else, is replaced.
INGEST, HTTP, GRPC, METRICS = (
    f"http://{LOOPBACK}:8080",
    f"{LOOPBACK}:4318",
    f"{LOOPBACK}:4317",
    8888,
)
FOLDER = "/var/lib/otelcol/wattoken"
KEY_ENV = "WATTOKEN_KEY"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a Collector listens on loopback."""

    http: int
    grpc: int
    metrics: int


def page_configuration(page: str) -> str:
    """Take the Collector's configuration out of the page; there must be just one."""
    (found,) = [text for text in _YAML.findall(page) if "\nexporters:" in f"\n{text}"]
    return str(found)


def configuration(ingest: str, ports: Ports, storage: Path) -> str:
    """The page's configuration with other addresses and another folder."""
    text = page_configuration(PAGE.read_text(encoding="utf-8"))
    for old, new in (
        (INGEST, ingest),
        (HTTP, f"{LOOPBACK}:{ports.http}"),
        (GRPC, f"{LOOPBACK}:{ports.grpc}"),
        (f"port: {METRICS}", f"port: {ports.metrics}"),
        (FOLDER, str(storage)),
    ):
        assert text.count(old) == 1, f"docs/gateways.md: {old} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def collector_plan(
    program: Path, folder: Path, ingest: str, key: str, ports: Ports, name: str = "collector"
) -> ChildPlan:
    """A Collector that sends to ``ingest``; its queue lies in ``folder`` and outlives it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "collector.yaml"
    config.write_text(configuration(ingest, ports, folder / "queue"), encoding="utf-8")
    return ChildPlan(
        name=name,
        command=[str(program), "--config", str(config)],
        log_path=folder / "collector.log",
        ready=lambda: port_listens(ports.http),
        ready_timeout_seconds=60,
        directory=folder,
        env={KEY_ENV: key},
    )
