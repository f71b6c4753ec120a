"""PURE: requests drawn from the golden cases, changed in one to five places.

A drawn request says how many events it holds, where its bytes were not damaged.
"""

from __future__ import annotations

import copy
import gzip
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import zstandard

from tests.fuzz.mutations import CANARIES, damaged, mutated, written
from tests.unit.services.ingest.adapters.golden_cases import OTLP, Case, body_of, read_cases

#: Paths whose bodies are one event, an array of them, or lines.
_LINES: Final = {"/v1/events", "/v1/litellm", "/v1/envoy", "/v1/portkey"}
_CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
_CE_ATTRIBUTES: Final = ("id", "source", "type", "specversion", "time", "subject")
#: As mid-text of conversations and configurations.
_COMPANY: Final[Mapping[str, Any]] = {
    "messages": [{"role": "user", "content": CANARIES[0]}],
    "headers": {"authorization": f"Bearer {CANARIES[1]}", "x-api-key": CANARIES[2]},
    "note": CANARIES[0],
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One request; ``events`` is None where nobody can say how many it holds."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    events: int | None


class Requests:
    """Draws requests; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._cases = [case for case in read_cases() if "body" in case.document["request"]]
        self._number = 0

    def __iter__(self) -> Iterator[Drawn]:
        """Yield requests without end."""
        while True:
            yield self._request()

    def _request(self) -> Drawn:
        draw, case = self._draw, self._draw.choice(self._cases)
        request = case.document["request"]
        headers = {"content-type": request["content_type"] or "application/json"}
        headers |= request.get("headers", {})
        if case.encoding == "protobuf":
            headers["content-type"] = "application/x-protobuf"
            body, events = self._protobuf(case)
        elif case.path in OTLP:
            body, events = self._otlp(copy.deepcopy(request["body"]))
        else:
            body, events = self._elements(case.path, copy.deepcopy(request["body"]), headers)
        if draw.random() < 0.05:
            body, events = damaged(body, draw), None
        if draw.random() < 0.15:
            squeeze = draw.choice((gzip.compress, zstandard.ZstdCompressor().compress))
            headers["content-encoding"] = "gzip" if squeeze is gzip.compress else "zstd"
            body = squeeze(body)
            if draw.random() < 0.03:
                body, events = damaged(body, draw), None
        if draw.random() < 0.01:
            headers["content-type"], events = (
                draw.choice(("", "text/plain", "application/xml")),
                None,
            )
        return Drawn(case.path, headers, body, events)

    def _elements(self, path: str, body: Any, headers: dict[str, str]) -> tuple[bytes, int | None]:
        draw = self._draw
        whole = body if isinstance(body, list) else [body]
        elements = [
            self._changed(copy.deepcopy(draw.choice(whole)))
            for _ in range(draw.choice((1, 1, 2, 5)))
        ]
        media = headers["content-type"]
        texts = [written(one) for one in elements]
        if any(name.startswith("ce-") for name in headers):
            return texts[0], 1
        if (
            path in _LINES
            and not media.startswith("application/cloudevents")
            and draw.random() < 0.4
        ):
            headers["content-type"] = "application/x-ndjson"
            lines = [text.replace(b"\n", b" ") for text in texts]
            if len(lines) == 1 and not isinstance(elements[0], dict):
                return lines[0], None  # One line that is an array is read as an array.
            return b"\n".join(lines), sum(1 for line in lines if line.strip(b" \t\r\n"))
        if media.startswith("application/cloudevents"):
            if len(texts) == 1 and draw.random() < 0.5 and isinstance(elements[0], dict):
                return self._one_cloud_event(path, elements[0], texts[0], headers)
            headers["content-type"] = _CLOUD_EVENTS
        elif len(texts) == 1 and isinstance(elements[0], dict):
            return texts[0], 1
        return b"[" + b",".join(texts) + b"]", len(texts)

    def _one_cloud_event(
        self, path: str, event: dict[str, Any], text: bytes, headers: dict[str, str]
    ) -> tuple[bytes, int]:
        if self._draw.random() < 0.5:
            headers["content-type"] = "application/cloudevents+json"
            return text, 1
        headers["content-type"] = "application/json"
        for name in _CE_ATTRIBUTES:
            value = event.get(name)
            if isinstance(value, str) and value.isascii() and value.isprintable():
                headers[f"ce-{name}"] = value
        headers.setdefault("ce-specversion", "1.0")
        return written(event.get("data")), 1

    def _changed(self, element: Any) -> Any:
        draw = self._draw
        self._number += 1
        if isinstance(element, dict):
            for name in ("id", "litellm_call_id", "event_id"):
                if isinstance(element.get(name), str) and draw.random() < 0.9:
                    element[name] = f"{element[name]}-{self._number}"
            if draw.random() < 0.3:
                element |= copy.deepcopy(dict(_COMPANY))
        for _ in range(draw.choice((0, 0, 1, 1, 1, 2, 5))):
            element = mutated(element, draw)
        return element

    def _otlp(self, body: dict[str, Any]) -> tuple[bytes, int]:
        draw = self._draw
        events = 0
        for group, scopes, elements in (
            ("resourceSpans", "scopeSpans", "spans"),
            ("resourceLogs", "scopeLogs", "logRecords"),
        ):
            for one in body.get(group, []):
                if "resource" in one and draw.random() < 0.1:
                    one["resource"] = mutated(one["resource"], draw)
                for scope in one.get(scopes) or []:
                    changed = [self._changed(span) for span in scope.get(elements) or []]
                    scope[elements] = changed
                    events += len(changed)
        return written(body), events

    def _protobuf(self, case: Case) -> tuple[bytes, int | None]:
        body = body_of(case)
        if self._draw.random() < 0.6:
            return damaged(body, self._draw), None
        request = case.document["request"]["body"]
        return body, sum(
            len(scope.get(elements) or [])
            for group, scopes, elements in (
                ("resourceSpans", "scopeSpans", "spans"),
                ("resourceLogs", "scopeLogs", "logRecords"),
            )
            for one in request.get(group, [])
            for scope in one.get(scopes) or []
        )
