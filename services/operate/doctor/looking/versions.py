"""In which version everything answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from typing import Final, TypeVar

from services.operate.doctor.judging.versions import Versions
from services.operate.doctor.looking.kafka import broker_levels
from services.operate.doctor.looking.reach import SERVICES, addresses, ask, data_of
from services.operate.doctor.looking.world import World
from services.operate.doctor.settings import ServicesSettings
from services.platform.errors import WattokenError

T = TypeVar("T")
_BUILD: Final = re.compile(
    r'^wattoken_(?:aggregator_)?build_info\{[^}]*\bversion="(?P<version>[^"]+)"', re.MULTILINE
)


def look(world: World) -> Versions:
    """Ask everything that answers; what does not is told by another check."""
    settings = world.settings
    return Versions(
        brokers=_answered(lambda: broker_levels(world)) or {},
        clickhouse=_answered(lambda: str(world.rows("SELECT version()")[0][0])),
        prometheus=_prometheus(settings),
        services=dict(_services(settings)),
        own=version("wattoken"),
    )


def _services(settings: ServicesSettings) -> Iterator[tuple[str, str]]:
    for service in SERVICES:
        for url in addresses(settings, service):
            found = _answered(partial(VERSION_OF[service], settings, url))
            if found is not None:
                yield f"{service} {url}", found


def _answered(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except WattokenError:
        return None


def _prometheus(settings: ServicesSettings) -> str | None:
    if not settings.prometheus_url:
        return None
    url = f"{settings.prometheus_url.rstrip('/')}/api/v1/status/buildinfo"
    return _answered(lambda: str(data_of(ask(settings, url))["version"]))


def _described(settings: ServicesSettings, url: str) -> str:
    """What ingest's description of itself says; empty where it says nothing."""
    try:
        return str(json.loads(ask(settings, f"{url}/openapi.json").text)["info"]["version"])
    except (ValueError, KeyError, TypeError):
        return ""


def _exposed(settings: ServicesSettings, url: str) -> str:
    """What the metrics of a service say; empty where they say nothing."""
    found = _BUILD.search(ask(settings, f"{url}/metrics").text)
    return found["version"] if found else ""


VERSION_OF: Final[Mapping[str, Callable[[ServicesSettings, str], str]]] = {
    "ingest": _described,
    "aggregator": _exposed,
    "exporter": _exposed,
}
