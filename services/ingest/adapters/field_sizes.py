"""PURE: what is built of an event is small: one field of it may not be a million objects.

What is passed over of a gateway's event may be megabytes, and costs next to nothing. What is read
is built, whatever stands there: 8 MB of ``[],`` become 200 MB, in a call that gives nobody a turn.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, get_args

import msgspec

from services.ingest.errors import EventRejectedError
from services.ingest.structure import has_more_parts

#: Values in one field that is read. The most have the usage objects of a stream.
FIELD_PARTS_MAX: Final = 50_000


def check_fields(decoder: msgspec.json.Decoder[Any], raw: bytes | msgspec.Raw) -> None:
    """Refuse an event with a field that is read and has too many values.

    The decoder's struct says which are read; what makes it raise is left to itself to tell.
    Raises `EventRejectedError`.
    """
    if len(memoryview(raw)) <= FIELD_PARTS_MAX:
        return
    kind: Any = decoder.type
    try:
        _check(_sizes(kind)(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return


def check_field(name: str, raw: bytes | msgspec.Raw) -> None:
    """Refuse one field of too many values; raises `EventRejectedError`."""
    if is_too_large(raw):
        raise EventRejectedError(
            "event_too_large",
            f"{name} has more than {FIELD_PARTS_MAX} values of JSON: leave out what is no count",
        )


def is_too_large(raw: bytes | msgspec.Raw) -> bool:
    """Say whether a field that is read has too many values."""
    return len(memoryview(raw)) > FIELD_PARTS_MAX and has_more_parts(bytes(raw), FIELD_PARTS_MAX)


def _check(fields: Any) -> None:
    for name in fields.__struct_fields__:
        value = getattr(fields, name)
        if isinstance(value, msgspec.Raw):
            check_field(name, value)
        elif value is not None:
            _check(value)


@cache
def _sizes(kind: Any) -> Any:
    return msgspec.json.Decoder(_unbuilt(kind)).decode


def _unbuilt(kind: Any) -> Any:
    """Make a struct of the same fields in which nothing but structs is built."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        inner = [one for one in (field.type, *get_args(field.type)) if _is_struct(one)]
        name = field.encode_name
        if inner:
            fields.append((name, _unbuilt(inner[0]) | None, None))
        elif field.type is not msgspec.Raw:
            # What is kept as it stands is not built anyway.
            fields.append((name, msgspec.Raw, msgspec.Raw(b"")))
    return msgspec.defstruct("Sizes", fields)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
