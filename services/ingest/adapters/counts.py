"""PURE: reads quantities as sources write them; what is no count is refused, never fixed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from schemas.event_rules import TOKENS_MAX, UNITS_MAX
from services.ingest.errors import EventRejectedError
from services.ingest.explain import EXPECTED, shown_value

#: 10**11 has 12 digits; more than this is out of range whatever they are.
_DIGITS_MAX: Final = 20
_EXPECTED: Final = EXPECTED["input_tokens"]
_SECONDS_MAX: Final = UNITS_MAX // 1000


def count(fields: Mapping[str, Any], name: str, where: str = "", *, digits: bool = False) -> int:
    """Read a count that must be there.

    ``where`` leads to the fields, for messages, such as ``usage.``. A double that is whole is
    taken; ``digits`` also takes the number as text. Raises `EventRejectedError` for anything but
    an integer in range.
    """
    value = fields.get(name)
    if value is None:
        raise EventRejectedError("missing_field", f"{where}{name} is missing: give {_EXPECTED}")
    number = value
    if isinstance(number, float) and number.is_integer():
        number = int(number)  # 12.0 is 12: some SDKs have no integers.
    if digits and isinstance(value, str) and value.isascii() and value.isdigit():
        number = int(value) if len(value) <= _DIGITS_MAX else -1
    if not isinstance(number, int) or isinstance(number, bool):
        raise EventRejectedError(
            "wrong_type", f"{where}{name} is {shown_value(value)}: give {_EXPECTED}"
        )
    if not 0 <= number <= TOKENS_MAX:
        raise EventRejectedError(
            "out_of_range", f"{where}{name} is {shown_value(value)}: give {_EXPECTED}"
        )
    return number


def optional_count(
    fields: Mapping[str, Any], name: str, where: str = "", *, digits: bool = False
) -> int | None:
    """Read a count that may be absent or null: None then, which is not 0."""
    return None if fields.get(name) is None else count(fields, name, where, digits=digits)


def milliseconds(fields: Mapping[str, Any], name: str, where: str = "") -> int | None:
    """Read seconds, which may have a fraction; what is finer than a millisecond is cut off.

    None where they are absent or null. Raises `EventRejectedError` for anything but a number in
    range.
    """
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EventRejectedError(
            "wrong_type", f"{where}{name} is {shown_value(value)}: give a number of seconds"
        )
    if not 0 <= value <= _SECONDS_MAX:
        raise EventRejectedError(
            "out_of_range",
            f"{where}{name} is {shown_value(value)}: give seconds from 0 to {_SECONDS_MAX}",
        )
    return int(Decimal(repr(value)) * 1000)


def part(fields: Mapping[str, Any], name: str, where: str = "") -> Mapping[str, Any]:
    """Read an object within an object; an absent or null one is empty."""
    value = fields.get(name)
    if value is None or value == []:  # PHP writes an empty object as an empty array.
        return {}
    if not isinstance(value, dict):
        raise EventRejectedError(
            "wrong_type", f"{where}{name} is {shown_value(value)}: give a JSON object"
        )
    return value


def agreed(name: str, *readings: tuple[str, int | None]) -> int | None:
    """Take a count that a source may write under several names: they must not differ.

    Each reading is where it stands and what it says; None where none says anything.
    """
    said = [(where, value) for where, value in readings if value is not None]
    if not said:
        return None
    first_where, first = said[0]
    for where, value in said[1:]:
        if value != first:
            raise EventRejectedError(
                "total_mismatch",
                f"{name} differ: {first_where} is {first}, but {where} is {value}: correct one",
            )
    return first
