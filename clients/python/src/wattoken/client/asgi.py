"""An ASGI middleware for gateways on FastAPI, Starlette and the like; needs neither.

::

    app = FastAPI()
    app.add_middleware(MeterMiddleware, meter=Meter.from_env(), provider="openai")

It looks at the answers as they pass, changes nothing, and holds nothing up. The tier that served
and the searches that an answer lists go with its usage. Streams carry usage only if the request
said so (OpenAI: ``stream_options.include_usage``), in their last chunk. When the client goes away
before that, the event is an estimate by characters, and marked as one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from wattoken.client.meter import Meter
from wattoken.client.served import in_our_words
from wattoken.client.stream_usage import AnswerReader, UsageFormat, estimated_input_tokens

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

#: Whose usage the answers of a path carry; a gateway's own paths can be given instead.
FORMATS: Final[Mapping[str, UsageFormat]] = {
    "/v1/chat/completions": "openai_chat",
    "/v1/completions": "openai_chat",
    "/v1/responses": "openai_responses",
    "/v1/messages": "anthropic",
    "/v1/embeddings": "embeddings",
}
_REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024

log = logging.getLogger("wattoken.client")


class MeterMiddleware:
    """Records the usage of each answered POST on the paths of ``formats``.

    ``provider`` and ``region`` are for events of this app; left out, they are the meter's.
    """

    def __init__(
        self,
        app: App,
        meter: Meter,
        *,
        provider: str | None = None,
        region: str | None = None,
        formats: Mapping[str, UsageFormat] = FORMATS,
    ) -> None:
        self._app = app
        self._meter = meter
        self._provider = provider
        self._region = region
        self._formats = formats

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        usage_format = self._formats.get(scope.get("path", ""))
        if scope["type"] != "http" or scope["method"] != "POST" or usage_format is None:
            await self._app(scope, receive, send)
            return
        watched = _Watched(usage_format, receive, send)
        try:
            await self._app(scope, watched.receive, watched.send)
        finally:
            # Also when the client went away, which arrives here as an exception of any kind.
            try:
                self._record(watched)
            except Exception:
                log.exception("an answer could not be metered")

    def _record(self, watched: _Watched) -> None:
        reader = watched.reader
        if reader is None:  # no answer of a model: an error, or nothing at all
            return
        reader.end()
        model = reader.model or "unknown"
        duration_ms = round((time.monotonic() - watched.started) * 1000)
        if reader.usages and (reader.complete or not reader.streamed):
            self._meter.record(
                model=model, provider=self._provider, region=self._region,
                usage=reader.usages if reader.streamed else reader.usages[-1],
                usage_format=reader.format, duration_ms=duration_ms, **reader.beside,
            )  # fmt: skip
        elif reader.characters:
            self._meter.record(
                model=model, provider=self._provider, region=self._region,
                input_tokens=estimated_input_tokens(bytes(watched.request)),
                output_tokens=reader.estimated_output_tokens, quality="estimated",
                duration_ms=duration_ms, **in_our_words(reader.beside),
            )  # fmt: skip


class _Watched:
    """One request, with what is read of it on the way."""

    def __init__(self, usage_format: UsageFormat, receive: Receive, send: Send) -> None:
        self.reader: AnswerReader | None = None
        self.request = bytearray()
        self.started = time.monotonic()
        self._format = usage_format
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.request += message.get("body", b"")[: _REQUEST_BYTES_MAX - len(self.request)]
        return message

    async def send(self, message: Message) -> None:
        try:
            self._look(message)
        except Exception:
            log.exception("an answer could not be read for metering")
        await self._send(message)

    def _look(self, message: Message) -> None:
        if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
            headers = {name.lower(): value for name, value in message.get("headers", ())}
            media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            streamed = media == b"text/event-stream"
            # A compressed answer cannot be read here: put the compressing middleware outside.
            if (streamed or media == b"application/json") and b"content-encoding" not in headers:
                self.reader = AnswerReader(self._format, streamed)
        elif message["type"] == "http.response.body" and self.reader is not None:
            self.reader.feed(message.get("body", b""))
