"""docker-compose.yml as the contract tests read it."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
Service = dict[str, Any]


@functools.cache
def document() -> dict[str, Any]:
    """The whole file, anchors and merges resolved."""
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def services() -> dict[str, Service]:
    """Every service by name."""
    found = document()["services"]
    assert isinstance(found, dict)
    return found


def ours() -> dict[str, Service]:
    """The services that run our own image."""
    return {name: service for name, service in services().items() if "build" in service}


def theirs() -> dict[str, Service]:
    """The services that run an image of somebody else."""
    return {name: service for name, service in services().items() if "build" not in service}


def environment(service: Service) -> dict[str, str]:
    """A service's environment variables."""
    return dict(service.get("environment", {}))


def published(service: Service) -> list[tuple[str, int, int]]:
    """Host address, host port and container port of each published port."""
    found = []
    for port in service.get("ports", []):
        parsed = re.fullmatch(r"(?P<host>[\d.]+):(?P<outer>\d+):(?P<inner>\d+)", port)
        assert parsed, f"{port}: write host:port:port"
        found.append((parsed["host"], int(parsed["outer"]), int(parsed["inner"])))
    return found


def volumes(service: Service) -> list[tuple[str, str, bool]]:
    """Source, target and whether read-only, of each mount in either notation."""
    found = []
    for volume in service.get("volumes", []):
        if isinstance(volume, dict):
            found.append((volume["source"], volume["target"], volume.get("read_only", False)))
        else:
            source, target, *mode = volume.split(":")
            found.append((source, target, mode == ["ro"]))
    return found
