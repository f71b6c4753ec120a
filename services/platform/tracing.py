"""Traces as services see them: spans around what they do, or nothing at all where they are off.

What makes and sends spans needs the extra `traces` and is in `services.platform.trace_export`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol

Attributes = Mapping[str, str | int | float | bool | Sequence[int]]
#: As OpenTelemetry has them: answers a request, sends a message, or neither.
Kind = Literal["server", "producer", "internal"]
#: What becomes of a span: its collector took it, did not take it in time, or it found the queue
#: full.
OUTCOMES: Final = ("sent", "failed", "dropped")


class Traces(Protocol):
    """Makes spans. Nothing here raises, waits or does input and output."""

    def span(
        self,
        name: str,
        about: Callable[[], Attributes] | None = None,
        *,
        kind: Kind = "internal",
        began_ns: int | None = None,
        parent: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[object]:
        """A span as long as the ``with`` around it, within the span around that.

        ``about`` is asked for its attributes only where spans are made; ``began_ns`` (Unix time)
        is when it began, if not now; ``parent`` are the headers ``traceparent`` and ``tracestate``
        of who asked for the work. An exception that leaves the span is recorded on it.
        """

    def note(self, about: Callable[[], Attributes]) -> None:
        """Give the span around the caller more attributes, asked for as in `span`."""

    def fail(self, error_type: str) -> None:
        """Say that what the span around the caller is about failed, though nothing was raised."""

    def exemplar(self) -> dict[str, str] | None:
        """Labels that lead from a metric to the span around the caller; None where none is kept."""

    def stop(self) -> None:
        """Send what waits, if that takes no more than a moment."""


class NoTraces:
    """Traces that are off: one object for all spans, which does nothing."""

    _nothing: Final[AbstractContextManager[object]] = nullcontext()

    def span(
        self,
        name: str,
        about: Callable[[], Attributes] | None = None,
        *,
        kind: Kind = "internal",
        began_ns: int | None = None,
        parent: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[object]:
        """Nothing."""
        return self._nothing

    def note(self, about: Callable[[], Attributes]) -> None:
        """Nothing."""

    def fail(self, error_type: str) -> None:
        """Nothing."""

    def exemplar(self) -> None:
        """None."""

    def stop(self) -> None:
        """Nothing."""


NO_TRACES: Final = NoTraces()
