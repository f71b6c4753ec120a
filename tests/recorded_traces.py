"""Traces that are kept as a list, for tests of what is said of which work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from services.platform.tracing import Attributes, Kind


@dataclass(slots=True)
class RecordedSpan:
    """A span that has begun."""

    name: str
    kind: Kind
    within: RecordedSpan | None
    parent: Mapping[str, str] | None
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    ended: bool = False


class RecordedTraces:
    """`services.platform.tracing.Traces`, in the order that spans began."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []
        self._current: ContextVar[RecordedSpan | None] = ContextVar("current", default=None)

    @contextmanager
    def span(
        self,
        name: str,
        about: Callable[[], Attributes] | None = None,
        *,
        kind: Kind = "internal",
        began_ns: int | None = None,
        parent: Mapping[str, str] | None = None,
    ) -> Iterator[RecordedSpan]:
        span = RecordedSpan(name, kind, self._current.get(), parent)
        span.attributes.update({} if about is None else about())
        self.spans.append(span)
        token = self._current.set(span)
        try:
            yield span
        except BaseException as error:
            span.error = type(error).__name__
            raise
        finally:
            self._current.reset(token)
            span.ended = True

    def note(self, about: Callable[[], Attributes]) -> None:
        current = self._current.get()
        if current is not None:
            current.attributes.update(about())

    def fail(self, error_type: str) -> None:
        current = self._current.get()
        if current is not None:
            current.error = error_type

    def exemplar(self) -> dict[str, str] | None:
        current = self._current.get()
        return None if current is None else {"trace_id": f"of {current.name}"}

    def stop(self) -> None:
        """Nothing waits."""

    def named(self, name: str) -> list[RecordedSpan]:
        return [span for span in self.spans if span.name == name]

    def told(self) -> list[tuple[str, str | None, str]]:
        """Name, that of the span around it, and the error, of each that has ended."""
        return [
            (span.name, None if span.within is None else span.within.name, span.error)
            for span in self.spans
            if span.ended
        ]
