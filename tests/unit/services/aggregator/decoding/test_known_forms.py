"""Which forms are known, and when: by what the decoder is asked one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from schemas.wire import decode_many
from services.aggregator.arrays.frames import frames_of
from services.aggregator.decoding import columns, known_forms
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.forms import Form, learn
from services.aggregator.decoding.known_forms import (
    EVENTS_A_LOOK,
    EVENTS_MIN,
    FADING_EVENTS,
    FORMS_MAX,
    LOOKS_MAX,
    TRIED_MIN,
    WIDENED_MIN,
)
from services.aggregator.decoding.labels import Labels

EVENT: dict[str, Any] = {
    "time": "2026-03-15T12:00:00.250Z",
    **{"region": "eu", "model": "gpt", "id": "id-1", "tenant": "acme", "source": "gw"},
    **{"output_tokens": 7, "provider": "openai", "input_tokens": 12},
}
CANONICAL = (
    b'{"id":"id-1","source":"gw","tenant":"acme","time":"2026-03-15T12:00:00.250Z","region":"eu",'
    b'"provider":"openai","model":"gpt","input_tokens":12,"output_tokens":7}'
)


@pytest.fixture
def left_over(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Decode some events, and say how many of them the decoder was asked for."""
    asked: list[int] = []

    def counted(records: list[bytes], **options: Any) -> Any:
        asked.append(len(records))
        return decode_many(records, **options)

    def left_over(decoder: Decoder, *events: bytes) -> int:
        asked.clear()
        assert len(decoder.decode(frames_of(events)).places) == len(events)
        return sum(asked)

    monkeypatch.setattr(columns, "decode_many", counted)
    return left_over


def written(indent: int, **other: Any) -> bytes:
    return json.dumps(EVENT | other, indent=indent).encode()


MANY: Final = 2 * TRIED_MIN


def test_a_form_is_learnt_from_a_batch_and_its_labels_from_the_next(
    left_over: Callable[..., int],
) -> None:
    decoder, events = Decoder(Labels()), [written(1)] * MANY
    assert left_over(decoder, *events) == MANY
    assert left_over(decoder, *events) == MANY
    assert left_over(decoder, *events) == 0
    assert left_over(decoder, *events, CANONICAL, written(1, tenant="other")) == 2
    assert left_over(decoder, *events, CANONICAL, written(1, tenant="other")) == 0


def test_few_events_make_no_form_and_are_tried_by_none(left_over: Callable[..., int]) -> None:
    decoder, events = Decoder(Labels()), [written(1)] * (EVENTS_MIN - 1)
    for _ in range(4):
        assert left_over(decoder, *events) == len(events)
    for _ in range(3):
        left_over(decoder, *[written(1)] * MANY)
    assert left_over(decoder, *[written(1)] * TRIED_MIN) == 0
    assert left_over(decoder, *[written(1)] * (TRIED_MIN - 1)) == TRIED_MIN - 1


def test_a_form_is_widened_and_keeps_its_labels(left_over: Callable[..., int]) -> None:
    decoder, more = Decoder(Labels()), [written(1, pages=1)] * MANY
    for _ in range(3):
        left_over(decoder, *[written(1)] * MANY)
    assert left_over(decoder, *more) == MANY
    assert left_over(decoder, *more, written(1)) == 0


def test_one_event_widens_no_form(left_over: Callable[..., int]) -> None:
    decoder, events = Decoder(Labels()), [written(1)] * MANY
    for _ in range(3):
        left_over(decoder, *events)
    odd = [written(1, pages=1), *[written(1, id="é")] * EVENTS_MIN]
    for _ in range(3):
        assert left_over(decoder, *events, *odd) == len(odd)


def test_of_many_forms_the_least_used_is_forgotten_for_one_that_is_used_more(
    left_over: Callable[..., int],
) -> None:
    decoder = Decoder(Labels())
    for indent in range(1, FORMS_MAX + 2):
        for _ in range(3):
            left_over(decoder, *[written(indent)] * MANY)
    assert left_over(decoder, *[written(1)] * MANY) == 0
    # As many of a ninth are no reason to lose the labels of another.
    ninth = written(FORMS_MAX + 1)
    assert left_over(decoder, *[ninth] * MANY) == MANY
    for _ in range(3):
        left_over(decoder, *[ninth] * 1000)
    assert left_over(decoder, *[ninth] * MANY, *[written(1)] * MANY) == 0
    assert left_over(decoder, *[written(2)] * MANY) == MANY


def test_a_form_that_reads_hardly_any_is_forgotten(left_over: Callable[..., int]) -> None:
    decoder = Decoder(Labels())
    for _ in range(3):
        left_over(decoder, *[written(1)] * MANY)
    # They begin as the form does, and go on otherwise.
    left_over(decoder, *[written(1, id="é")] * 4000)
    assert left_over(decoder, *[written(1)] * MANY) == MANY


def test_looks_for_forms_are_few_where_there_are_none(
    left_over: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bytes] = []

    def looked(event: bytes) -> None:
        looks.append(event)

    monkeypatch.setattr(known_forms, "learn", looked)
    decoder = Decoder(Labels())
    for _ in range(100):
        left_over(decoder, *[written(1)] * 100)
    assert LOOKS_MAX <= len(looks) <= LOOKS_MAX + 100 * 100 / EVENTS_A_LOOK


def test_what_has_no_form_hides_none(left_over: Callable[..., int]) -> None:
    decoder = Decoder(Labels())
    odd = [written(1, id="é")] * 3
    for _ in range(3):
        left_over(decoder, *odd, *[written(2)] * MANY)
    assert left_over(decoder, *odd, *[written(2)] * MANY) == len(odd)


@pytest.mark.parametrize("limit", ["GATEWAYS_MAX", "TEXTS_MAX"])
def test_labels_are_forgotten_and_forms_are_not(
    limit: str, left_over: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, events = Decoder(Labels()), [written(1)] * MANY
    for _ in range(3):
        left_over(decoder, *events)
    monkeypatch.setattr(columns, limit, 0)
    assert left_over(decoder, *events) == MANY
    monkeypatch.setattr(columns, limit, 10)
    assert left_over(decoder, *events) == 0


def test_as_many_events_as_make_a_form_make_it(left_over: Callable[..., int]) -> None:
    decoder = Decoder(Labels())
    left_over(decoder, *[written(1)] * EVENTS_MIN)
    left_over(decoder, *[written(1)] * TRIED_MIN)
    assert left_over(decoder, *[written(1)] * TRIED_MIN) == 0


def test_as_many_events_as_widen_a_form_widen_it(left_over: Callable[..., int]) -> None:
    decoder, events = Decoder(Labels()), [written(1)] * MANY
    for _ in range(3):
        left_over(decoder, *events)
    more = [written(1, pages=1)] * WIDENED_MIN
    others = [written(1, id="é")] * (EVENTS_MIN - WIDENED_MIN)
    assert left_over(decoder, *events, *more, *others) == EVENTS_MIN
    assert left_over(decoder, *events, *more, *others) == len(others)


@pytest.mark.parametrize("count", [1, TRIED_MIN - 1, 10 * TRIED_MIN])
def test_the_canonical_form_is_read_whatever_else_is_used_more(
    count: int, left_over: Callable[..., int]
) -> None:
    """Many writers may have forms of their own: those who use a client of ours lose nothing."""
    decoder = Decoder(Labels())
    left_over(decoder, CANONICAL)
    for indent in (1, 2):
        for _ in range(3):
            left_over(decoder, *[written(indent)] * MANY)
    assert left_over(decoder, *[CANONICAL] * count) == 0
    # Between those of another form, in which ever order.
    assert left_over(decoder, *[CANONICAL, written(2), CANONICAL] * MANY) == 0


def test_what_no_form_takes_costs_one_look_for_each_event(
    left_over: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a number of eight digits: looks are few, and others need them."""
    looks: list[bytes] = []

    def looked(event: bytes) -> Form | None:
        looks.append(event)
        return learn(event)

    monkeypatch.setattr(known_forms, "learn", looked)
    left_over(Decoder(Labels()), *[written(1, input_tokens=12_345_678)] * (EVENTS_MIN + 2))
    assert len(looks) == 3, "until fewer are left than make a form"


def test_how_much_a_form_is_used_is_how_much_it_is_lately(left_over: Callable[..., int]) -> None:
    """What was long ago counts ever less: a writer that stopped makes room for another."""
    decoder = Decoder(Labels())
    for _ in range(3 + 4 * FADING_EVENTS // MANY):
        left_over(decoder, *[written(1)] * MANY)
    (known,) = decoder._forms._learnt()
    assert FADING_EVENTS / 2 < known.used <= 2 * (FADING_EVENTS + MANY)
    used = known.used
    for _ in range(-(-2 * FADING_EVENTS // 1000)):
        left_over(decoder, *[CANONICAL] * 1000)
    assert known.used <= used / 4
