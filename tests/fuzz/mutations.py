"""PURE: what may be wrong with a value, a field, a text."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, Final

#: Never to be found in what is kept: the first stands for a prompt, the others for keys.
CANARIES: Final = (
    "CANARYPROMPT please tell me what is wrong with this",
    "sk-CANARYKEY0123456789",
    "wtk_CANARY_0123456789",
)
#: Written as they are into JSON, which is not always JSON then.
RAW: Final = ("NaN", "-Infinity", "1e999", "01", "'x'", '"\\ud800"', "tru", "\x00")
VALUES: Final[Sequence[Any]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, -(2**70)),
    *(0.5, -0.0, 3.0, 1e308, 1e-300, 1773576000.25),
    *(
        "",
        " ",
        "x",
        "x" * 129,
        "x" * 300,
        "é" * 200,
        "12",
        "-3",
        "1e3",
        "NaN",
        "null",
        "\x00",
        "\ufffd",
    ),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": [1]}}, [1] * 50, {"type": []}),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-03-15T24:00:00Z"),
    *("2026-03-15T12:00:00+99:00", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z", "2026-03-15", "1773576000"),
    *("error", "failure", "failed", "ok", "success", "debit", "openai_chat", "anthropic", "gemini"),
    *CANARIES,
)
NAMES: Final = (
    *("id", "source", "time", "model", "provider", "tenant", "region", "status", "usage", "data"),
    *("usage_format", "input_tokens", "output_tokens", "prompt_tokens", "total_tokens", "tokens"),
    *("type", "specversion", "endTime", "metadata", "entry", "adjusts", "messages", "api_key"),
    *("iterations", "attributes", "response", "resource", "x" * 100, "é", ""),
)


class Raw(str):
    """A text that is written into JSON as it is."""


def mutated(value: Any, draw: random.Random) -> Any:
    """Change one thing somewhere in a value, and return it."""
    spots: list[tuple[Any, Any]] = []
    _walk(value, spots)
    if not spots or draw.random() < 0.03:
        return _odd(draw)
    within, at = draw.choice(spots)
    chance = draw.random()
    if isinstance(within, dict) and chance < 0.25:
        del within[at]
    elif isinstance(within, dict) and chance < 0.4:
        within[draw.choice(NAMES)] = within.pop(at)
    elif isinstance(within, dict) and chance < 0.55:
        within[draw.choice(NAMES)] = _odd(draw)
    elif isinstance(within, list) and chance < 0.3:
        within.insert(at, _odd(draw))
    else:
        within[at] = _odd(draw)
    return value


def _walk(value: Any, spots: list[tuple[Any, Any]]) -> None:
    if not isinstance(value, dict | list):
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for at, inner in pairs:
        spots.append((value, at))
        if isinstance(inner, dict | list):
            _walk(inner, spots)


def _odd(draw: random.Random) -> Any:
    chance = draw.random()
    if chance < 0.04:
        return Raw(draw.choice(RAW))
    if chance < 0.06:
        depth = draw.choice((40, 100, 3000))
        return Raw("[" * depth + "]" * depth)
    odd = draw.choice(VALUES)
    return json.loads(json.dumps(odd)) if isinstance(odd, dict | list) else odd


def written(value: Any) -> bytes:
    """Write a value as JSON, and what is `Raw` as it is; lone surrogates as escapes."""
    match value:
        case Raw():
            return value.encode("utf-8", "surrogatepass")
        case dict():
            inner = (json.dumps(name).encode() + b":" + written(one) for name, one in value.items())
            return b"{" + b",".join(inner) + b"}"
        case list():
            return b"[" + b",".join(map(written, value)) + b"]"
    return json.dumps(value).encode()


def damaged(body: bytes, draw: random.Random) -> bytes:
    """Damage the bytes of a body somewhere."""
    if not body:
        return b"\xff"
    at = draw.randrange(len(body))
    match draw.randrange(5):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :]
        case 2:
            return body[:at] + draw.randbytes(3) + body[at:]
        case 3:
            return body + body[at:]
    return body[:at] + body[at + 1 :]
