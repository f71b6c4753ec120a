"""PURE: a refused payload without what nobody reads: no prompts, no answers, no keys.

Names of fields, numbers and structure stay; of texts only those under names that a rule reads.
It works on the text, not on what it says, so that what is no JSON is redacted as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: Stands for a text that was left out. `wattoken rejected requeue` never meters it.
REDACTED: Final = "[redacted]"
_MARK: Final = b'"' + REDACTED.encode() + b'"'
#: The fields whose texts are read to meter an event, in any format; a test holds that a redacted
#: payload is metered as the whole one is.
READ_NAMES: Final = frozenset(
    {
        *("id", "source", "tenant", "time", "region", "provider", "model", "status", "quality"),
        *("entry", "adjusts", "reason", "usage_format", "specversion", "type", "datacontenttype"),
        *("litellm_call_id", "custom_llm_provider", "call_type", "startTime", "endTime"),
        *("schema_version", "event_id", "emitted_at", "model_requested", "model_response"),
        *("requestType", "created", "created_at", "modality", "object", "ttl", "speed"),
        *("service_tier", "serviceTier", "trafficType", "traffic_type"),
    }
)
#: What these texts lie in; elsewhere they are part of a conversation.
READ_WITHIN: Final = frozenset(
    {
        *("", "data", "usage", "metadata", "usage_object", "request", "response", "json"),
        *("iterations", "promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails"),
        *("prompt_tokens_details", "cache_tokens_details", "candidates_tokens_details"),
        *("responseTokensDetails", "response_tokens_details", "toolUsePromptTokensDetails"),
        *("tool_use_prompt_tokens_details", "cacheDetails", "serviceTier"),
        *("model_parameters", "output", "action"),
    }
)
#: Under such names digits are counts or times, whatever the rest of the name.
_COUNT_NAME: Final = re.compile(
    rb"(?:tokens|[cC]ount|Nano|Time|_at|searches|calls|images|milliseconds|characters|pages)$"
)
_DIGITS: Final = re.compile(rb"-?[0-9]{1,20}(?:\.[0-9]{1,12})?$")
#: What keys of all kinds look like; such a text stays nowhere.
_SECRET: Final = re.compile(
    r"wtk_|(?<![a-z0-9])(?:sk|pk|rk|gsk|xai|hf|pplx|r8|glpat|ghp|gho|xox[a-z])[-_][a-z0-9_-]{8}"
    r"|akia[0-9a-z]{8}|aiza[0-9a-z]{8}|eyj[0-9a-z_-]{8}|bearer\s|basic\s++[a-z0-9+/=]{8}"
    r"|-----begin|https?://(?:[^/\s@]*+@)++",
    re.IGNORECASE,
)
_NAME_BYTES_MAX: Final = 64
#: What lies further back in a payload is neither looked at nor kept.
LOOKED_AT_BYTES_MAX: Final = 256 * 1024
#: Stands for a longer name, which is none of those that are read.
_TOO_LONG: Final = b"..."
#: Ids and names are one word or a few; what has more is prose.
_WORD_BYTES_MAX: Final = 2048
_WORDS: Final = re.compile(r"\S++(?: \S++){0,2}+")
_WORDS_LENGTH_MAX: Final = 64
#: A text, whole or cut off at the end; else what may stand between texts; else anything.
_PIECES: Final = re.compile(
    rb'"(?P<text>[^"\\]*+(?:\\.[^"\\]*+)*+)(?P<close>"|\\?\Z)'
    rb"|(?P<plain>[\s\[\]{}:,]++|-?[0-9][0-9.eE+-]*+|true|false|null)"
    rb"|(?P<odd>[^\s\[\]{}:,\"]++)",
    re.DOTALL,
)
_IS_NAME: Final = re.compile(rb"\s*+:")
_SHOWN_TEXT: Final = re.compile(r"the text (?:'[^']*+'|\"[^\"]*+\")")


@dataclass(frozen=True, slots=True)
class Redacted:
    """A payload as it may be kept: ``cut`` says that its end is missing."""

    payload: bytes
    cut: bool


def redact(text: bytes, bytes_max: int) -> Redacted:
    """Redact a payload, up to ``bytes_max`` of what is left; the rest is not looked at."""
    parts: list[bytes] = []
    # A match of a long text gives nobody a turn, and what is kept is a few kilobytes.
    text, too_long = text[:LOOKED_AT_BYTES_MAX], len(text) > LOOKED_AT_BYTES_MAX
    left_bytes = bytes_max
    place = _Place()
    for piece in _PIECES.finditer(text):
        part = piece[0]
        if piece["text"] is not None:
            if _IS_NAME.match(text, piece.end()):
                name = piece["text"]
                place.enter(name)
                part = part if _may_be_name(name) else _MARK
            elif piece["close"] != b'"' or not _may_stay(place, piece["text"]):
                part = _MARK
        elif piece["odd"] is not None:
            part = b"?"
        elif len(part) <= left_bytes:
            place.walk(part)
        left_bytes -= len(part)
        if left_bytes < 0:
            return Redacted(b"".join(parts), cut=True)
        parts.append(part)
    return Redacted(b"".join(parts), cut=too_long)


class _Place:
    """Where in a payload a text stands: the name before it, and whether all around it are read.

    Each step costs the same, however deep it is and however long the names are.
    """

    __slots__ = ("_odd", "_within", "name")

    def __init__(self) -> None:
        self.name = b""
        self._within: list[bytes] = []
        #: How many of the names around it are none of `READ_WITHIN`.
        self._odd = 0

    @property
    def is_read(self) -> bool:
        return not self._odd

    def enter(self, name: bytes) -> None:
        self.name = name if len(name) <= _NAME_BYTES_MAX else _TOO_LONG

    def walk(self, marks: bytes) -> None:
        for mark in marks:
            if mark in b"[{":
                self._within.append(self.name)
                self._odd += not _is_read_within(self.name)
            elif mark in b"]}" and self._within:
                self.name = self._within.pop()
                self._odd -= not _is_read_within(self.name)


def _is_read_within(name: bytes) -> bool:
    return name.decode("ascii", "replace") in READ_WITHIN


def redact_message(message: str) -> str:
    """Redact why an event was refused: it may show what stood in a field."""
    return _SECRET.sub(REDACTED, _SHOWN_TEXT.sub("a text", message))


def may_be_kept(text: str) -> bool:
    """Say whether a text that a rule reads may be kept: an id or a name, and no key."""
    if len(text) > _WORD_BYTES_MAX or _SECRET.search(text) is not None:
        return False
    return not any(map(str.isspace, text)) or (
        len(text) <= _WORDS_LENGTH_MAX and _WORDS.fullmatch(text) is not None
    )


def _may_be_name(name: bytes) -> bool:
    return len(name) <= _NAME_BYTES_MAX and may_be_kept(name.decode("utf-8", "replace"))


def _may_stay(place: _Place, text: bytes) -> bool:
    if _COUNT_NAME.search(place.name) is not None and _DIGITS.match(text) is not None:
        return True
    return (
        place.name.decode("ascii", "replace") in READ_NAMES
        and place.is_read
        and len(text) <= _WORD_BYTES_MAX
        and may_be_kept(text.decode("utf-8", "replace"))
    )
