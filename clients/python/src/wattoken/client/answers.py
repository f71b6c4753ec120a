"""PURE: what an answer of ingest means for the batch that was sent.

========================  ==========================================================================
202, 204                  all taken
207, 400 with a list      those listed are rejected, the others taken; nothing is sent again
413, 400 without a list   sent again in halves to find the one bad event; alone, it is rejected
408, 429                  not taken; sent again, after Retry-After if given
500 to 599, no answer     perhaps taken; sent again with the same ids
all else (200, 401, …)    not our ingest, or not our key: a person is needed; held, and tried now
                          and then
========================  ==========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is none, and whether the request may have arrived all the same."""

    reason: str
    may_have_arrived: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """Every event of the batch has its answer; ``rejected`` maps an index to (code, message)."""

    rejected: Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Split:
    """The batch is to be sent again in parts."""


@dataclass(frozen=True, slots=True)
class Again:
    """The batch is to be sent again; ``needs_a_person`` says that time alone will not help."""

    reason: str
    wait_seconds: float | None = None
    may_have_arrived: bool = False
    needs_a_person: bool = False


Verdict = Settled | Split | Again


def judge(answer: Answer | NoAnswer, events: int, now_seconds: float) -> Verdict:
    """Say what is to be done with a batch of so many events, answered so at ``now_seconds``."""
    if isinstance(answer, NoAnswer):
        return Again(answer.reason, may_have_arrived=answer.may_have_arrived)
    status, reason = answer.status, f"HTTP {answer.status}"
    if status in (207, 400) and (listed := rejections(answer.body, events)) is not None:
        return Settled(listed)
    if status in (202, 204):
        return Settled({})
    if status in (400, 413):
        if events > 1:
            return Split()
        return Settled({0: (f"http_{status}", answer.body[:300].decode("utf-8", "replace"))})
    if status in (408, 429) or status >= 500:
        wait_seconds = retry_after_seconds(answer.retry_after, now_seconds)
        return Again(reason, wait_seconds, may_have_arrived=status >= 500)
    return Again(reason, may_have_arrived=status == 207, needs_a_person=True)


def rejections(body: bytes, events: int) -> dict[int, tuple[str, str]] | None:
    """Read which events are refused and why; None where the answer names none of ours."""
    try:
        listed: list[dict[str, Any]] = json.loads(body)["rejected"]
        found = {
            int(item["index"]): (str(item["code"]), str(item.get("message", ""))[:300])
            for item in listed
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if found and all(0 <= index < events for index in found) else None


def retry_after_seconds(text: str | None, now_seconds: float) -> float | None:
    """Read Retry-After, seconds or an HTTP date; None where it is neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_seconds)
    except (ValueError, OverflowError):
        return None
