"""Forms, one by one; that what they read is what the decoder reads is in tests/property."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.price_class import SERVICE_TIERS
from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.frames import frames_of
from services.aggregator.decoding.forms import (
    FORM_BYTES_MAX,
    GATEWAY,
    SERIES,
    TEXT_BYTES_MAX,
    Form,
    learn,
    merged,
    runs,
)
from services.aggregator.decoding.found import Found

EVENT: dict[str, Any] = {
    "time": "2026-03-15T12:00:00.250Z",
    **{"region": "eu", "model": "gpt", "id": "id-1", "tenant": "acme", "source": "gw"},
    **{"output_tokens": 7, "provider": "openai", "input_tokens": 12},
}


def text(**other: Any) -> bytes:
    return json.dumps(EVENT | other).encode()


def form_of(event: bytes) -> Form:
    form = learn(event)
    assert form is not None
    return form


def read_all(form: Form, *events: bytes) -> tuple[Found, bytes]:
    frames = frames_of(events)
    return form.read(frames.buffer, frames.starts, frames.ends), b"".join(events)


def names(form: Form) -> list[str]:
    return [step.name for step in form.steps]


def test_what_it_finds() -> None:
    events = text(), b"{", text(input_tokens=9_999_999, id="id-22"), text()[:-1], text() + b" "
    found, joined = read_all(form_of(text()), *events)
    assert found.good.tolist() == [True, False, True, False, False]

    def spans(column: tuple[Any, Any], rows: tuple[int, ...] = (0, 2)) -> list[bytes]:
        return [joined[column[0][row] :][: column[1][row]] for row in rows]

    assert spans(found.ids) == [b"id-1", b"id-22"]
    assert [spans(column) for column in found.gateways] == [[b'acme", "source": "gw'] * 2]
    assert [spans(column) for column in found.series] == [[b'eu", "model": "gpt'] * 2] + [
        [b"openai"] * 2
    ]
    # Those of what is not read are empty, wherever reading went on.
    assert spans(found.ids, (1, 3, 4)) == [b"", b"", b""]
    assert {name: column[[0, 2]].tolist() for name, column in found.numbers.items()} == {
        "input_tokens": [12, 9_999_999],
        "output_tokens": [7, 7],
    }
    assert found.time_us[0] == 1_773_576_000_250_000


@pytest.mark.parametrize(
    ("name", "longest"),
    [*((name, 128) for name in ("id", "tenant", "source", "region", "provider")), ("model", 256)],
)
def test_a_text_has_a_length_of_its_own_and_is_not_empty(name: str, longest: int) -> None:
    given = [text(**{name: "x" * length}) for length in (1, longest, 0, longest + 1)]
    found, _ = read_all(form_of(text()), *given)
    assert found.rows[found.good].tolist() == [0, 1]


def test_fields_may_be_missing_or_null_where_the_form_has_them() -> None:
    form = form_of(text(pages=3, duration_ms=5, service_tier="flex", status="ok", reason=None))
    found, _ = read_all(
        form,
        text(),
        text(pages=4, duration_ms=None, service_tier=None, status="error", reason=None),
        text(pages=None, service_tier="batch"),
        text(duration_ms=2, status="ok"),
        text(status="ok", duration_ms=2),
        text(reason="x"),
        text(service_tier="Flex"),
        text(pages="3"),
        text(quality="measured"),
    )
    assert found.rows[found.good].tolist() == [0, 1, 2, 3]
    assert found.numbers["pages"][:4].tolist() == [0, 4, 0, 0]
    assert found.numbers["failed"][:4].tolist() == [0, 1, 0, 0]
    assert found.numbers["service_tier"][:4].tolist() == [0, 0, 1 + SERVICE_TIERS.index("batch"), 0]
    assert "duration_ms" not in found.numbers


def test_the_first_field_opens_every_event() -> None:
    event = json.dumps({"quality": "estimated"} | EVENT).encode()
    form = form_of(event)
    assert form.steps[0].required and form.opening.text == b'{"quality": '
    found, _ = read_all(form, event, text(), json.dumps({"quality": "measured"} | EVENT).encode())
    assert found.good.tolist() == [True, False, True]
    assert found.numbers["estimated"][[0, 2]].tolist() == [1, 0]


def test_events_that_open_alike_are_told_apart_by_the_second_key() -> None:
    event = json.dumps({"id": "id-1"} | EVENT).encode()
    other = json.dumps({"id": "id-1", "region": "eu"} | EVENT).encode()
    frames = frames_of([event, other, event])
    assert form_of(event).begins(frames.buffer, frames.starts).tolist() == [True, False, True]
    # What is not always there says nothing.
    some = form_of(json.dumps({"id": "id-1", "pages": 1} | EVENT).encode())
    assert some.begins(frames.buffer, frames.starts).tolist() == [True] * 3


def test_what_stands_side_by_side_is_one_stretch() -> None:
    form = form_of(text())
    assert runs(form.steps, GATEWAY) == [("tenant", "source")]
    assert runs(form.steps, SERIES) == [("region", "model"), ("provider",)]


def test_forms_of_one_writer_are_merged() -> None:
    one = form_of(text(pages=1, images=2))
    other = form_of(text(images=2, status="ok"))
    both = merged(one, other)
    assert both is not None
    assert set(names(both)) == {*EVENT, "pages", "images", "status"}
    found, _ = read_all(both, text(pages=1, images=2), text(images=2, status="error"), text())
    assert found.good.all()
    # What followed what is remembered: a third may say that what was tried first is wrong.
    third = merged(form_of(text(pages=1)), form_of(text(status="ok")))
    assert third is not None
    wider = merged(third, form_of(text(status="ok", pages=1)))
    assert wider is not None and names(wider)[-2:] == ["status", "pages"]
    assert merged(wider, form_of(text(pages=1, status="ok"))) is None


@pytest.mark.parametrize(
    "other",
    [
        json.dumps(EVENT, separators=(",", ":")).encode(),
        json.dumps({"id": "id-1"} | EVENT).encode(),
        text() + b"\n",
        text().replace(b'"provider": ', b'"provider":  '),
        json.dumps(dict(reversed(EVENT.items()))).encode(),
    ],
)
def test_forms_of_two_writers_are_not(other: bytes) -> None:
    assert merged(form_of(text()), form_of(other)) is None


def test_events_of_another_form_are_left_behind() -> None:
    events = [text(), *[text(id="é")] * 30, text(input_tokens=5, pages=1), text(status="ok")]
    form = form_of(text(pages=1))
    found, joined = read_all(form, *events)
    assert len(found.rows) < len(events)
    assert found.rows[found.good].tolist() == [0, 31]
    assert found.numbers["input_tokens"][found.good].tolist() == [12, 5]
    assert found.numbers["pages"][found.good].tolist() == [0, 1]
    start, length = (column[found.good].tolist() for column in found.ids)
    assert [joined[at:][:size] for at, size in zip(start, length, strict=True)] == [b"id-1"] * 2


def test_what_stands_before_a_value_has_a_limit() -> None:
    """A buffer goes on for 1,024 bytes behind its end, and no form may lead further."""
    for spaces in (100, 120, 1100, 3000):
        apart = b"," + b" " * spaces + b'"status": '
        events = [text()[:-1] + apart + b'"ok"}'] * 40
        form = learn(events[0])
        assert (form is None) == (spaces > 110)
        if form is not None:
            read_all(form, *events, text(quality="measured"), text()[:-1] + b"!")
    for long in (b" " * 200 + b"}", b"}" + b" " * 200):
        assert learn(text()[:-1] + long) is None
    assert learn(b" " * 200 + text()) is None


def test_a_text_at_the_very_end_of_a_buffer_is_read_to_its_end_and_no_further() -> None:
    form = form_of(b"{" + text()[1:].replace(b", ", b" " * 40 + b", "))
    for end in range(len(text())):
        found, _ = read_all(form, text()[:end])
        assert not found.good.any()
    assert Buffer.PADDING == 1024


def apart(spaces: int) -> bytes:
    """An event with so many spaces behind each comma."""
    return json.dumps(EVENT, separators=(", " + " " * (spaces - 1), ": ")).encode()


def test_a_whole_form_has_a_limit_too() -> None:
    """Its closing text counts: each event is read to its very end."""
    size = sum(step.before.size for step in form_of(apart(50)).steps)
    assert FORM_BYTES_MAX - TEXT_BYTES_MAX < size < FORM_BYTES_MAX - 1
    for closing in (1, FORM_BYTES_MAX - size):
        form = learn(apart(50) + b" " * (closing - 1))
        assert form is not None and form.closing.size == closing
    assert learn(apart(50) + b" " * (FORM_BYTES_MAX - size)) is None


def test_fields_that_may_be_missing_count_for_nothing_in_it() -> None:
    event = json.dumps(EVENT | {"pages": 1, "images": 2}, separators=("," + " " * 50, ":")).encode()
    form = form_of(event)
    assert sum(step.before.size for step in form.steps) > FORM_BYTES_MAX
    found, _ = read_all(form, event, event)
    assert found.good.all()


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"[1]",
        text() + b"x",
        text()[:-1],
        text(unknown=1),
        text()[:-1] + b', "model": "gpt"}',
        json.dumps({name: EVENT[name] for name in EVENT if name != "model"}).encode(),
        text(entry="credit", adjusts="id-1", reason="x"),
        text(adjusts="id-1"),
        text(reason="x"),
        text(service_tier="of a later release"),
        text(pages=1.5),
        text(pages=-1),
        text(id='a"b'),
        text(id=7),
        text(input_tokens="7"),
        text(time=None),
    ],
    ids=lambda event: event[-40:].decode(errors="replace"),
)
def test_what_cannot_be_read_many_at_a_time_has_no_form(event: bytes) -> None:
    """An unknown key, one twice or missing, an adjustment, a value of another kind, no JSON."""
    assert learn(text()) is not None
    assert learn(event) is None
