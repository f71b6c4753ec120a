"""PURE: reads an answer of an LLM API as it passes by, whole or streamed, for its usage and tier.

Knows OpenAI's chat and responses API and Anthropic's messages, and whatever speaks like them. The
usages of a stream are kept as they came: which of them counts is ingest's to say, by format. Only
one whose every count the next gives again is let go, for servers that tell usage in every chunk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from wattoken.client.served import PriceFields, beside_usage, calls

UsageFormat = Literal[
    "openai_chat",
    "openai_responses",
    "anthropic",
    "xai_chat",
    "perplexity",
    "mistral",
    "dashscope",
    "embeddings",
]

#: A line or an answer longer than this is let pass unread.
_BYTES_MAX: Final = 4 * 1024 * 1024
_ITEM_DONE: Final = "response.output_item.done"
#: A rule of thumb of tokenizers, for answers that broke off before their usage came.
_CHARACTERS_PER_TOKEN: Final = 4


@dataclass(slots=True)
class AnswerReader:
    """Reads the bytes of one answer; ``streamed`` says whether they are server-sent events."""

    format: UsageFormat
    streamed: bool
    model: str | None = None
    #: The provider's usage objects, in the order they came.
    usages: list[Mapping[str, Any]] = field(default_factory=list)
    #: Whether the last usage has come: in Anthropic's stream the first is only the input's.
    complete: bool = False
    #: Characters of answer seen so far.
    characters: int = 0
    _left: bytearray = field(default_factory=bytearray)
    _told: PriceFields = field(default_factory=PriceFields)
    #: Items of the answer that are done, for a stream that ends before it lists them all.
    _items: list[dict[str, Any]] = field(default_factory=list)

    def feed(self, data: bytes) -> None:
        """Read the next bytes."""
        if len(self._left) + len(data) > _BYTES_MAX:
            self._left.clear()
            return
        self._left += data
        if not self.streamed:
            return
        *lines, rest = bytes(self._left).split(b"\n")
        self._left = bytearray(rest)
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Read what is left: the whole answer where it is not a stream."""
        if self.streamed:
            self._line(bytes(self._left))
        else:
            self._read(bytes(self._left))
        self._left.clear()

    @property
    def estimated_output_tokens(self) -> int:
        """Tokens of the answer so far, by its characters, rounded up."""
        return -(-self.characters // _CHARACTERS_PER_TOKEN)

    @property
    def beside(self) -> PriceFields:
        """What was told beside the usage so far, and what a price depends on."""
        return {**calls(self._items), **self._told}

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._read(value.strip())

    def _read(self, text: bytes) -> None:
        try:
            chunk = json.loads(text)
        except (ValueError, RecursionError):  # [DONE], or not ours to understand
            return
        if not isinstance(chunk, dict):
            return
        # Responses and messages wrap the object in their first and last events.
        whole = chunk.get("response") or chunk.get("message")
        # Moonshot's streams have usage in the choice, Groq's in an object of their own.
        choices = chunk.get("choices")
        for holder in (chunk, whole, chunk.get("x_groq"), *_listed(choices)):
            if not isinstance(holder, dict):
                continue
            if isinstance(holder.get("model"), str):
                self.model = holder["model"]
            if isinstance(holder.get("usage"), dict):
                self._keep(holder["usage"])
                self.complete = chunk.get("type") != "message_start"
            # The latest stands: a stream begins with the tier that was asked for.
            self._told |= beside_usage(holder)
        if chunk.get("type") == _ITEM_DONE:
            self._items += _listed([chunk.get("item")])
        self.characters += _characters(chunk)

    def _keep(self, usage: Mapping[str, Any]) -> None:
        if self.usages:
            named, counted = _said(self.usages[-1])
            named_now, counted_now = _said(usage)
            if not counted_now and named_now <= named:
                return  # zeros, or nothing, of what was told already
            if named <= named_now and counted <= counted_now:
                self.usages.pop()
        self.usages.append(usage)


def _said(usage: Mapping[str, Any], place: str = "") -> tuple[set[str], set[str]]:
    """Name what a usage object tells, and what of it is not 0."""
    named: set[str] = set()
    counted: set[str] = set()
    for name, value in usage.items():
        if isinstance(value, Mapping):
            below = _said(value, f"{place}{name}.")
            named |= below[0]
            counted |= below[1]
        elif value is not None:
            named.add(f"{place}{name}")
            if value:
                counted.add(f"{place}{name}")
    return named, counted


def _listed(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _characters(chunk: Mapping[str, Any]) -> int:
    """Count the characters of answer that a streamed chunk brings."""
    delta = chunk.get("delta")
    if isinstance(delta, str):  # responses: response.output_text.delta
        return len(delta)
    deltas: list[object] = [delta]
    deltas += [choice.get("delta") for choice in _listed(chunk.get("choices"))]
    names = ("content", "reasoning_content", "text", "thinking", "partial_json")
    return sum(
        len(one[name])
        for one in deltas
        if isinstance(one, dict)
        for name in names
        if isinstance(one.get(name), str)
    )


def estimated_input_tokens(request_body: bytes) -> int:
    """Tokens of a request's texts, by their characters, rounded up; 0 where it has none."""
    try:
        request = json.loads(request_body)
    except (ValueError, RecursionError):
        return 0
    if not isinstance(request, dict):
        return 0
    asked = [request.get(name) for name in ("messages", "input", "prompt", "system")]
    return -(-_text_length(asked) // _CHARACTERS_PER_TOKEN)


def _text_length(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_text_length, value))
    if isinstance(value, dict):
        return sum(_text_length(value.get(name)) for name in ("content", "text"))
    return 0
