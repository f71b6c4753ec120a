"""The canonical form, field by field; that it is the decoder's is in tests/property."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
import numpy as np
import pytest

from schemas.event_rules import MODEL_LENGTH_MAX, NAME_LENGTH_MAX, TIME_MAX, TIME_MIN
from schemas.price_class import SERVICE_TIERS
from services.aggregator.arrays.byte_spans import Buffer
from services.aggregator.arrays.frames import frames_of
from services.aggregator.core.timing import EPOCH
from services.aggregator.decoding.canonical import begins, read
from services.aggregator.decoding.canonical_times import times_us
from services.aggregator.decoding.found import Found

EVENT = (
    '{"id":"id-1","source":"gw","tenant":"acme","time":"2026-03-15T12:00:00.250Z","region":"eu",'
    '"provider":"openai","model":"gpt","input_tokens":12,"output_tokens":7'
)
TAIL = (
    ',"cache_read_input_tokens":1,"cache_write_input_tokens":2,"reasoning_output_tokens":3,'
    '"status":"error","quality":"estimated","duration_ms":950,"service_tier":"batch",'
    '"cache_write_1h_input_tokens":2,"image_output_tokens":4,"file_searches":5'
)


def read_all(*events: str) -> Found:
    frames = frames_of([event.encode() for event in events])
    return read(frames.buffer, frames.starts, frames.ends)


def is_good(event: str) -> bool:
    return bool(read_all(EVENT + "}", event, EVENT + TAIL + "}").good[1])


def test_what_it_finds() -> None:
    events = (EVENT + "}", "{", EVENT + TAIL + "}", EVENT.replace("id-1", "id-22") + "}")
    found, text = read_all(*events), "".join(events)
    assert found.good.tolist() == [True, False, True, True]

    def spans(column: tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.int64]]) -> list[str]:
        return [text[column[0][row] :][: column[1][row]] for row in (0, 2, 3)]

    assert spans(found.ids) == ["id-1", "id-1", "id-22"]
    assert spans(found.gateways[0]) == ['gw","tenant":"acme'] * 3
    assert spans(found.series[0]) == ['eu","provider":"openai","model":"gpt'] * 3
    time_us = (datetime.fromisoformat("2026-03-15T12:00:00.250Z") - EPOCH) // timedelta(
        microseconds=1
    )
    assert found.time_us[[0, 2, 3]].tolist() == [time_us] * 3
    assert {name: column[[0, 2, 3]].tolist() for name, column in found.numbers.items()} == {
        "input_tokens": [12, 12, 12],
        "output_tokens": [7, 7, 7],
        "cache_read_input_tokens": [0, 1, 0],
        "cache_write_input_tokens": [0, 2, 0],
        "reasoning_output_tokens": [0, 3, 0],
        "failed": [0, 1, 0],
        "estimated": [0, 1, 0],
        "service_tier": [0, 2, 0],
        "cache_write_1h_input_tokens": [0, 2, 0],
        "image_output_tokens": [0, 4, 0],
        "file_searches": [0, 5, 0],
    }


def test_what_no_event_has_is_missing() -> None:
    found = read_all(EVENT + ',"status":"ok","quality":"measured","duration_ms":1}')
    assert found.good.all()
    assert set(found.numbers) == {"input_tokens", "output_tokens"}


def test_nothing_to_read() -> None:
    assert read_all().good.tolist() == []


OPTIONAL = [
    *('"cache_read_input_tokens":0', '"cache_write_input_tokens":9999999'),
    *('"reasoning_output_tokens":64', '"status":"ok"', '"quality":"measured"', '"duration_ms":0'),
    *('"service_tier":"flex"', '"audio_input_tokens":5', '"pages":9999999'),
]


def test_any_of_the_optional_fields_in_their_order() -> None:
    chosen = [
        [field for place, field in enumerate(OPTIONAL) if number >> place & 1]
        for number in range(1 << len(OPTIONAL))
    ]
    assert all(is_good(",".join([EVENT, *fields]) + "}") for fields in chosen)
    for fields in chosen:
        if len(fields) > 1:
            assert not is_good(",".join([EVENT, *fields[1:], fields[0]]) + "}")
    for field in OPTIONAL:
        if field != '"status":"ok"':
            assert not is_good(",".join([EVENT, field, field]) + "}")


@pytest.mark.parametrize("tier", SERVICE_TIERS)
def test_a_tier_is_its_place(tier: str) -> None:
    found = read_all(EVENT + f',"service_tier":"{tier}"}}', EVENT + "}")
    assert found.good.all()
    assert found.numbers["service_tier"].tolist() == [1 + SERVICE_TIERS.index(tier), 0]


@pytest.mark.parametrize(
    "tier", ["", "Batch", "batch2", 'batch"flex', 'batch" ', "null", 'batch","service_tier":"flex']
)
def test_what_is_no_tier_is_left_over(tier: str) -> None:
    assert not is_good(EVENT + f',"service_tier":"{tier}"}}')
    assert not is_good(EVENT + f',"service_tier":"{tier}","pages":1}}')


@pytest.mark.parametrize("name", ["id-1", "gw", "acme", "eu", "openai", "gpt"])
def test_names_are_plain_and_of_the_length_that_is_allowed(name: str) -> None:
    def renamed(new: str) -> bool:
        return is_good(EVENT.replace(f'"{name}"', f'"{new}"') + TAIL + "}")

    most = MODEL_LENGTH_MAX if name == "gpt" else NAME_LENGTH_MAX
    assert all(renamed("x" * length) for length in range(1, most + 1))
    assert not any(renamed("x" * length) for length in (0, *range(most + 1, most + 22), 999))
    assert renamed(" /{}[],:\x7f")
    assert not any(renamed(f"x{char}y") for char in ("\\\\", '\\"', "\n", "\0", "\x1f", "é", "😀"))


@pytest.mark.parametrize(
    "number", ["", "-1", "+1", "01", "00", "1.0", "1e3", "null", '"1"', "10000000", "1 ", " 1"]
)
def test_numbers_are_plain_and_short(number: str) -> None:
    for field in (*(f'"{name}put_tokens":' for name in ("in", "out")), '"duration_ms":'):
        start, _, rest = (EVENT + TAIL).partition(field)
        assert is_good(f"{start}{field}1234567{rest.lstrip('0123456789')}}}")
        assert not is_good(f"{start}{field}{number}{rest.lstrip('0123456789')}}}")


@pytest.mark.parametrize(
    "end",
    [
        *("", "}}", "} ", ",}", ',"entry":"usage"}', "]", "\0", "}\0", "}\n"),
        # Cut in the middle of a tier, so that what follows it seems to.
        *(',"service_tier":"}', ',"service_tier":","pages":1}'),
    ],
)
def test_it_ends_with_its_record(end: str) -> None:
    assert not is_good(EVENT + end)
    assert not is_good(EVENT + TAIL + end)


def test_a_record_cut_anywhere_is_left_over_whatever_follows() -> None:
    whole = (EVENT + TAIL + "}").encode()
    cuts = np.arange(len(whole))
    for starts, ends in ((0 * cuts, cuts), (cuts + 1, 0 * cuts + len(whole)), (cuts, cuts)):
        assert not read(Buffer(whole), starts, ends).good.any()
        assert not read(Buffer(whole, whole), starts, ends).good.any()
    assert read(Buffer(whole, whole), np.array([0]), np.array([len(whole)])).good.all()
    assert not read(Buffer(whole, whole), np.array([0]), np.array([2 * len(whole)])).good.any()


# Times.


def times_read(texts: list[str]) -> list[int | None]:
    """Microseconds of each time that is read to its end, at the quote."""
    frames = frames_of([f'{text}","r'.encode() for text in texts])
    found, ends, good = times_us(frames.buffer, frames.starts)
    # `read` looks for the quote.
    good &= frames.buffer.bytes_at(np.where(good, ends, 0)) == ord('"')
    assert (ends[good] - frames.starts[good]).tolist() == [
        len(text) for text, valid in zip(texts, good, strict=True) if valid
    ]
    return [time if valid else None for time, valid in zip(found.tolist(), good, strict=True)]


TIME = Annotated[datetime, msgspec.Meta(tz=True)]


def microseconds(text: str) -> int | None:
    """The same by the decoder; None for what it refuses or what is out of range."""
    try:
        time: datetime = msgspec.convert(text, TIME)
    except msgspec.ValidationError:
        return None
    if not TIME_MIN <= time < TIME_MAX:
        return None
    return (time - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize("fraction", ["", ".250", ".250125"])
def test_times_with_an_offset_of_nothing_are_read_too(fraction: str) -> None:
    text = f"2026-03-15T12:00:00{fraction}"
    expected = microseconds(f"{text}Z")
    assert expected is not None
    assert times_read([f"{text}Z", f"{text}+00:00", f"{text}Z"]) == [expected] * 3
    others = ["+01:00", "-00:00", "+00:0", "+0000", "+00.00", "z+00:00", ""]
    assert times_read([f"{text}{other}" for other in others]) == [None] * len(others)


def test_a_fraction_stands_behind_a_point() -> None:
    for point in (":", ",", "x", "0"):
        text = f"2026-03-15T12:00:00{point}250"
        assert times_read([f"{text}Z", f"{text}+00:00", f"{text}125+00:00"]) == [None] * 3


def test_every_day_that_is_allowed() -> None:
    days = [TIME_MIN.date() + timedelta(number) for number in range((TIME_MAX - TIME_MIN).days)]
    since_1970 = [(day - date(1970, 1, 1)).days for day in days]
    clock_us = ((12 * 60 + 34) * 60 + 56) * 1_000_000 + 789_012
    assert times_read([f"{day}T12:34:56.789012Z" for day in days]) == [
        number * 86_400_000_000 + clock_us for number in since_1970
    ]


def test_days_that_are_none_and_years_out_of_range() -> None:
    dates = [
        f"{year:04}-{month:02}-{day:02}T23:59:59Z"
        for year in (
            0,
            1900,
            1970,
            1999,
            2000,
            2001,
            2004,
            2026,
            2096,
            2099,
            2100,
            2101,
            2400,
            9999,
        )
        for month in range(20)
        for day in range(40)
    ]
    assert times_read(dates) == [microseconds(text) for text in dates]


def test_every_hour_minute_and_second() -> None:
    clocks = [(f"{n:02}", "00", "59") for n in range(100)]
    clocks += [("00", f"{n:02}", "59") for n in range(100)]
    clocks += [("23", "59", f"{n:02}") for n in range(100)]
    clocks += [(f"{n}{n}"[:2], f"{n}5", f"{n}9") for n in range(10)]
    times = [f"2026-02-28T{':'.join(clock)}Z" for clock in clocks]
    found = times_read(times)
    assert found == [microseconds(text) for text in times]
    assert len(times) - found.count(None) == 24 + 60 + 60 + 3


def test_fractions() -> None:
    millis = [f"2026-03-15T12:00:00.{n:03}Z" for n in range(1000)]
    micros = [f"2026-03-15T12:00:00.{n:06}Z" for n in range(0, 10**6, 997)]
    micros.append("2026-03-15T12:00:00.999999Z")
    for times in (millis, micros):
        found = times_read(times)
        assert None not in found
        assert found == [microseconds(text) for text in times]
    others = [f"2026-03-15T12:00:00.{'123456789'[:count]}Z" for count in (0, 1, 2, 4, 5, 7, 8, 9)]
    assert set(times_read(others)) == {None}


TIMES = ("2026-03-15T12:00:00Z", "2026-03-15T12:34:56.250Z", "2026-03-15T12:34:56.250001Z")


@pytest.mark.parametrize("time", TIMES)
def test_every_other_character_in_every_place(time: str) -> None:
    texts = [
        time[:place] + chr(code) + time[place + 1 :]
        for place in range(len(time))
        for code in range(128)
        if chr(code) != '"'
    ]
    found, expected = times_read(texts), [microseconds(text) for text in texts]
    for text, one, other in zip(texts, found, expected, strict=True):
        # Lower case and a space for the T are valid, but are not written.
        if text.upper() == text and " " not in text:
            assert one == other, text
        else:
            assert one is None, text
    assert len(set(found)) > 20


def test_events_of_others_that_open_alike_are_told_by_what_comes_next() -> None:
    """Those are read in their own form, and not in vain in this one."""
    other = EVENT.replace('"source":"gw","tenant":"acme"', '"tenant":"acme","source":"gw"')
    longest = EVENT.replace("id-1", "x" * NAME_LENGTH_MAX)
    frames = frames_of([event.encode() for event in (EVENT, other, longest, EVENT)])
    assert begins(frames.buffer, frames.starts).tolist() == [True, False, True, True]
