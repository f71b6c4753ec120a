"""PURE. How what is signed is written: canonical JSON (RFC 8785) of objects, arrays and texts.

Numbers are texts too: exact, and in one form only.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

Body = dict[str, Any]


def canonical(value: object) -> bytes:
    """Write it. Names are ASCII, so that sorting by code point is RFC 8785's order."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def sha256(content: bytes) -> str:
    """A hash, in hex."""
    return hashlib.sha256(content).hexdigest()


def decimal_text(number: Decimal) -> str:
    """A decimal without exponent, needless zeros, or a minus before 0."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def hour_text(moment: datetime) -> str:
    """An hour in UTC."""
    return f"{moment:%Y-%m-%dT%H}:00:00Z"
