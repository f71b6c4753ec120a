"""Ingest's HTTP paths on logs that are lists, called as its server calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import Counter

from schemas.catalogue import load_catalogue
from services.ingest import providers
from services.ingest.endpoints import Endpoints
from services.ingest.hot_paths import HotPaths
from services.ingest.keys.ring import KeyRing
from services.ingest.keys.secret import new_key
from services.ingest.metrics import IngestMetrics
from services.ingest.records import Record
from services.ingest.settings import IngestSettings

#: A little after the golden cases.
NOW: Final = datetime(2026, 3, 15, 12, 2, tzinfo=UTC)
_PEPPER: Final = b"p" * 32
_MUCH: Final = 10**12


class ListLog:
    """Takes all records, of either topic."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def publish(self, records: list[Record]) -> None:
        """Acknowledge them."""
        self.records += records

    async def put(self, records: list[Record]) -> None:
        """Keep them."""
        self.records += records


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


async def _nothing_else(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("a path that nobody serves")


class Service:
    """The endpoints behind their paths, with what they wrote and counted."""

    def __init__(self) -> None:
        providers.use(load_catalogue())
        self._key, entry = new_key("acme", "eu", _PEPPER, "openai")
        self.log, self.rejections, self.metrics = ListLog(), ListLog(), IngestMetrics()
        settings = IngestSettings(
            ingest_rejected_key_bytes_per_day=_MUCH,
            ingest_rejected_bytes_per_day=_MUCH,
            ingest_key_models_max=50,
        )
        endpoints = Endpoints(
            *(settings, KeyRing([entry], _PEPPER), self.log, self.metrics, self.rejections),
            utc_now=lambda: NOW,
        )
        paths = {
            "/v1/events": endpoints.native,
            "/api/v1/events": endpoints.openmeter,
            "/v1/litellm": endpoints.litellm,
            "/v1/envoy": endpoints.envoy,
            "/v1/portkey": endpoints.portkey,
            "/v1/traces": endpoints.traces,
            "/v1/logs": endpoints.logs,
        }
        self._app = HotPaths(_nothing_else, paths, self.metrics)

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and wait for its answer."""
        whole = {**headers, "authorization": f"Bearer {self._key}"}
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in whole.items()],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return Answer(sent[0]["status"], sent[1]["body"])

    def counted(self) -> dict[str, int]:
        """What was counted so far, each summed over its labels."""
        counters = {
            "accepted": self.metrics.accepted,
            "rejected": self.metrics.rejected,
            "skipped": self.metrics.skipped,
            "refused": self.metrics.requests_rejected,
        }
        return {name: _total(counter) for name, counter in counters.items()}


def _total(counter: Counter) -> int:
    return sum(
        int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )
