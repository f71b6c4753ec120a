"""Sends over HTTP, through either ingest, in the forms that gateways use."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import zstandard

from services.local_stack.ports import LOOPBACK
from services.local_stack.services import Credential
from tests.chaos import events
from tests.chaos.events import ACCOUNTS, Event, Nature
from tests.chaos.ledger import ACKNOWLEDGED, REFUSED, UNKNOWN, EventName
from tests.chaos.senders import Sender

#: Longer than ingest waits for Kafka, so most answers come.
TIMEOUT_SECONDS: Final = 8.0
#: Nothing of the request was taken; and that is not known.
NOT_TAKEN: Final = frozenset({408, 429})
NOT_KNOWN: Final = frozenset({500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Post:
    """A form of request: where it goes, what it is, and how a batch is written."""

    path: str
    content_type: str
    body: Callable[[Sequence[tuple[Event, int]]], bytes]


def _ndjson(pairs: Sequence[tuple[Event, int]]) -> bytes:
    return b"\n".join(b" ".join(events.native(*pair).split(b"\n")) for pair in pairs)


def _array(pairs: Sequence[tuple[Event, int]]) -> bytes:
    return b"[" + b",".join(events.native(*pair) for pair in pairs) + b"]"


def _cloud_events(pairs: Sequence[tuple[Event, int]]) -> bytes:
    return json.dumps([events.cloud_event(*pair) for pair in pairs]).encode()


def _otlp_logs(pairs: Sequence[tuple[Event, int]]) -> bytes:
    return json.dumps({"resourceLogs": [events.otlp_log(*pair) for pair in pairs]}).encode()


NDJSON: Final = Post("/v1/events", "application/x-ndjson", _ndjson)
#: What each of these takes, all can say; poison, wrong times and adjustments go as lines.
FORMS: Final = (
    NDJSON,
    Post("/v1/events", "application/json", _array),
    Post("/v1/events", "application/cloudevents-batch+json", _cloud_events),
    Post("/api/v1/events", "application/cloudevents-batch+json", _cloud_events),
    Post("/v1/logs", "application/json", _otlp_logs),
)


class HttpSender(Sender):
    """Posts batches, each of one account, to an ingest drawn again each time."""

    def __init__(
        self,
        *of_all: Any,
        ports: Sequence[int],
        credentials: Sequence[Credential],
    ) -> None:
        super().__init__(*of_all)
        self._ports = ports
        self._keys = [
            next(c.key for c in credentials if (c.tenant, c.region) == account)
            for account in ACCOUNTS
        ]

    def in_flight(self) -> bool:
        """It waits for each answer."""
        return False

    def close(self) -> None:
        """Nothing is held."""

    def send(self, names: list[EventName]) -> None:
        """Post them, account by account."""
        batches: dict[tuple[int, bool], list[EventName]] = {}
        for name in names:
            event = self.event(name)
            plain = event.nature is Nature.METERED and "entry" not in event.fields
            batches.setdefault((event.account, plain), []).append(name)
        for (account, plain), batch in batches.items():
            form = self.draw.choice(FORMS) if plain else NDJSON
            self._post(form, self._keys[account], batch)

    def _post(self, form: Post, key: str, batch: list[EventName]) -> None:
        pairs = [(self.event(name), self.ledger.time_ms(name)) for name in batch]
        body = form.body(pairs)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": form.content_type}
        encoding = self.draw.choice(("", "", "gzip", "zstd"))
        if encoding:
            headers["Content-Encoding"] = encoding
            squeeze = zstandard.ZstdCompressor().compress if encoding == "zstd" else gzip.compress
            body = squeeze(body)
        connection = http.client.HTTPConnection(
            LOOPBACK, self.draw.choice(self._ports), timeout=TIMEOUT_SECONDS
        )
        try:
            connection.connect()
        except OSError:
            self._again(batch)
            return
        try:
            connection.request("POST", form.path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._unknown(batch)
            return
        finally:
            connection.close()
        self._judge(form, batch, answer.status, said)

    def _judge(self, form: Post, batch: list[EventName], status: int, said: bytes) -> None:
        if status in NOT_TAKEN:
            self._again(batch)
            return
        if status in NOT_KNOWN:
            self._unknown(batch)
            return
        refused = refusals(status, said)
        if refused is None or (refused and form is not NDJSON):
            raise AssertionError(f"ingest answers {status} to {form.path}: {said[:500]!r}")
        for index, name in enumerate(batch):
            self.note(name, REFUSED if index in refused else ACKNOWLEDGED)

    def _again(self, batch: list[EventName]) -> None:
        for name in batch:
            self.submit(name)

    def _unknown(self, batch: list[EventName]) -> None:
        for name in batch:
            self.note(name, UNKNOWN)
        self._again(batch)


def refusals(status: int, said: bytes) -> Mapping[int, str] | None:
    """Which events an answer refuses, by index; None where it is no answer of ingest's."""
    if status in (202, 204) or (status == 200 and said.strip() == b"{}"):
        return {}
    try:
        listed = json.loads(said)["rejected"]
        return {int(item["index"]): str(item["code"]) for item in listed}
    except (ValueError, KeyError, TypeError):
        return None
