"""PURE: a span or log record of an OTLP request, before it is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.ingest.adapters.genai import GenAiRecord

#: Trace id, span id and the parent's span id, in lower-case hex; empty for none.
Link = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Element:
    """One of them: most are no calls of a model, and are not decoded at all."""

    #: Raises `EventRejectedError` where it is broken; None for what can be no call.
    decode: Callable[[], GenAiRecord] | None
    #: Where it stands among the spans of its trace; None where that cannot be read.
    link: Callable[[], Link | None]
