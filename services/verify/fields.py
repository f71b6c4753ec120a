"""PURE. The fields of a bill: each in the one form that it may have."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from services.verify.canonical import Json
from services.verify.errors import BillError

#: Whole numbers and decimals in ASCII digits: no sign but a minus before what is below 0, no
#: exponent, no zero that could be left out. Longer ones than any amount are not worked with.
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,39}")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,79})(\.[0-9]{0,29}[1-9])?")
_HOUR: Final = re.compile(r"([0-9]{4}-[0-9]{2})-[0-9]{2}T[0-9]{2}:00:00Z")
_PERIOD: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
#: In the order in which they follow one another.
RUNS: Final = ("SF", "R1", "R2", "R3", "RF")


class Fields:
    """One object of a bill, which must have exactly the names that are asked for.

    Each method reads one field and raises `BillError`, naming its place.
    """

    def __init__(self, place: str, value: object, names: Collection[str]) -> None:
        if not isinstance(value, dict):
            raise BillError(place, "it must be an object")
        if value.keys() != set(names):
            missing, more = set(names) - value.keys(), value.keys() - set(names)
            told = [f"{name} is missing" for name in sorted(missing)]
            told += [f"{name[:40]} does not belong there" for name in sorted(more)]
            raise BillError(place, "; ".join(told))
        self.place = place
        self.values: Json = value

    def wrong(self, name: str, text: str) -> BillError:
        """What to raise of a field."""
        return BillError(f"{self.place}.{name}", text)

    def text(self, name: str) -> str:
        """Any text."""
        value = self.values[name]
        if not isinstance(value, str):
            raise self.wrong(name, "it must be a text")
        return value

    def items(self, name: str) -> list[Any]:
        """An array."""
        value = self.values[name]
        if not isinstance(value, list):
            raise self.wrong(name, "it must be an array")
        return value

    def whole(self, name: str) -> int:
        """A whole number of 0 or more."""
        return int(self._matching(name, _WHOLE, "a whole number such as 0 or 120"))

    def decimal(self, name: str) -> Decimal:
        """An exact decimal."""
        text = self._matching(name, _DECIMAL, "a decimal such as 0.25, without needless zeros")
        if text == "-0":
            raise self.wrong(name, "it must be 0 and is -0")
        return Decimal(text)

    def hexadecimal(self, name: str, length: int) -> bytes:
        """So many bytes in lower-case hex."""
        return _bytes(f"{self.place}.{name}", self.values[name], length)

    def path(self, name: str) -> list[bytes]:
        """The hashes of a proof."""
        place = f"{self.place}.{name}"
        return [_bytes(f"{place}[{at}]", one, 32) for at, one in enumerate(self.items(name))]

    def hour(self, name: str) -> tuple[str, str]:
        """An hour, as it is written, and its period."""
        text = self._matching(name, _HOUR, "an hour such as 2026-10-01T00:00:00Z")
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise self.wrong(name, f"{text} is no hour of the calendar") from None
        return text, text[:7]

    def period(self, name: str) -> str:
        """A month."""
        return self._matching(name, _PERIOD, "a month such as 2026-10")

    def currency(self, name: str) -> str:
        """A currency's code."""
        return self._matching(name, _CURRENCY, "a currency such as USD")

    def one_of(self, name: str, allowed: Collection[str]) -> str:
        """One of some words."""
        text = self.text(name)
        if text not in allowed:
            raise self.wrong(name, f"{text[:40]!r} is none of {', '.join(allowed)}")
        return text

    def must_be(self, **expected: str) -> None:
        """See that fields are what they are elsewhere in the bill."""
        for name, value in expected.items():
            if self.text(name) != value:
                raise self.wrong(name, f"it is {self.text(name)[:80]!r} and must be {value[:80]!r}")

    def _matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        text = self.text(name)
        if pattern.fullmatch(text) is None:
            raise self.wrong(name, f"{text[:80]!r} is not {what}")
        return text


def _bytes(place: str, value: object, length: int) -> bytes:
    if not isinstance(value, str) or re.fullmatch(f"[0-9a-f]{{{2 * length}}}", value) is None:
        raise BillError(place, f"it must be {length} bytes in lower-case hex")
    return bytes.fromhex(value)
