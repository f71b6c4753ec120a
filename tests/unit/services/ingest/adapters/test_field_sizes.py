"""What is read of an event may not be a million objects; what is passed over may."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.ingest.adapters.field_sizes import FIELD_PARTS_MAX, check_field, check_fields
from services.ingest.errors import EventRejectedError

BOMB = b"[" + b"[]," * FIELD_PARTS_MAX + b"1]"


class Inner(msgspec.Struct):
    usage: Any = None


class Event(msgspec.Struct):
    id: Any = None
    inner: Inner | None = None
    kept: msgspec.Raw = msgspec.Raw(b"null")


DECODER = msgspec.json.Decoder(Event)


@pytest.mark.parametrize("text", [b'{"id":%b}', b'{"x":1,"inner":{"usage":%b,"y":2}}'])
def test_a_bomb_in_what_is_read_is_refused(text: bytes) -> None:
    with pytest.raises(EventRejectedError, match="more than 50000 values") as caught:
        check_fields(DECODER, text % BOMB)
    assert caught.value.code == "event_too_large"


@pytest.mark.parametrize(
    "text",
    [
        b'{"messages":%b}',
        b'{"inner":{"y":%b}}',
        b'{"kept":%b}',
        b'{"inner":%b}',
        b"%b",
        b'{"id":%b',
    ],
)
def test_what_is_passed_over_or_fails_by_itself_is_let_in(text: bytes) -> None:
    check_fields(DECODER, text % BOMB)


def test_a_long_text_is_one_value() -> None:
    check_fields(DECODER, b'{"id":"' + b"a, [b] " * FIELD_PARTS_MAX + b'"}')
    check_field("id", b'"' + b"," * FIELD_PARTS_MAX + b'"')
