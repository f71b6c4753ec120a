"""PURE. The one way in which a bill may be written, and reading of nothing else.

Canonical JSON as RFC 8785 has it, of objects, arrays and texts only: there is no number, so that
none can be written in two ways, and nothing that two programs may read differently.
"""

from __future__ import annotations

import json
from typing import Any, Final

from services.verify.errors import BillError

#: Deeper than any bill; json itself would run out of stack.
_DEPTH_MAX: Final = 8
Json = dict[str, Any]


def canonical(value: object) -> bytes:
    """Write a value that has only objects, arrays and texts: keys sorted, no space, UTF-8."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def read_document(content: bytes) -> Json:
    """Read a bill's file: canonical JSON and a line feed. Raises `BillError`."""
    try:
        text = content.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once)
    except BillError:
        raise
    except (ValueError, RecursionError) as error:
        raise BillError("the file", f"it is no JSON in UTF-8: {error}") from None
    if not isinstance(value, dict):
        raise BillError("the file", "it is no JSON object")
    _plain(value, 0)
    if canonical(value) + b"\n" != content:
        raise BillError(
            "the file",
            "it is not in its canonical form, so it is not the file that was given out: ask for"
            " that one, not for one that was formatted since",
        )
    return value


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BillError("the file", f"an object has the name {twice[:40]!r} twice")
    return found


def _plain(value: object, depth: int) -> None:
    """See that there is nothing but objects with plain names, arrays and texts."""
    if depth > _DEPTH_MAX:
        raise BillError("the file", f"it is nested more than {_DEPTH_MAX} deep")
    if isinstance(value, str):
        if any("\ud800" <= one <= "\udfff" for one in value):
            raise BillError("the file", "a text has half of a surrogate pair")
    elif isinstance(value, list):
        for one in value:
            _plain(one, depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            if not name.isascii():
                raise BillError("the file", f"{name[:40]!r} is no name of a bill")
            _plain(one, depth + 1)
    else:
        raise BillError("the file", f"{str(value)[:40]} is no text, as all values of a bill are")
