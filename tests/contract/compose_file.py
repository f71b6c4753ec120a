"""The compose files as tests read them: docker-compose.yml, and the one for production."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
PLAIN = ROOT / "docker-compose.yml"
PRODUCTION = ROOT / "deploy/compose/production.yml"
Service = dict[str, Any]


@functools.cache
def document(file: Path = PLAIN) -> dict[str, Any]:
    """The whole file, anchors and merges resolved."""
    loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def services(file: Path = PLAIN) -> dict[str, Service]:
    """Every service by name."""
    found = document(file)["services"]
    assert isinstance(found, dict)
    return found


def ours(file: Path = PLAIN) -> dict[str, Service]:
    """The services that run our own image."""
    return {name: service for name, service in services(file).items() if "build" in service}


def theirs(file: Path = PLAIN) -> dict[str, Service]:
    """The services that run an image of somebody else."""
    return {name: service for name, service in services(file).items() if "build" not in service}


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


def size_bytes(text: str) -> int:
    """A size of memory as compose files have it, such as 512m."""
    parsed = re.fullmatch(r"(\d+)([kmg])", text)
    assert parsed, f"{text}: write a whole number and k, m or g"
    return int(parsed[1]) << {"k": 10, "m": 20, "g": 30}[parsed[2]]
