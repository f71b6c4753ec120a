"""The hot path's decoder and the pydantic model accept and reject exactly the same bytes.

Records are written as text, field by field, because what tells two decoders apart is mostly no
JSON value at all: NaN, 2^64, 1.0, lone surrogates, keys given twice, bytes that are no UTF-8.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import wire
from schemas.event_rules import (
    CLOSER_SUBSETS,
    COUNTED_TWICE,
    DURATION_MS_MAX,
    MODEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PRICED_APART,
    TOKENS_MAX,
)
from schemas.price_class import SERVICE_TIERS, UNITS
from schemas.usage_event import UsageEvent
from schemas.wire import InvalidEventError
from tests.versions.effort import examples

Field = tuple[str, str]

EVENT: dict[str, str] = {
    "id": '"a"',
    "source": '"gateway"',
    "tenant": '"acme"',
    "time": '"2026-03-15T12:00:00Z"',
    "region": '"eu"',
    "provider": '"openai"',
    "model": '"m"',
    "input_tokens": "10",
    "output_tokens": "5",
}
OPTIONAL = sorted(set(UsageEvent.model_fields) - set(EVENT))
KEYS = st.sampled_from([*UsageEvent.model_fields, "prompt_tokens", "", "Id", "id ", "\\u0069d"])

ODD_TEXTS: list[str] = [
    '""',
    '" "',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800x"',
    '"\\ud800\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\x41"',
    '"\\"',
    '"\n"',
    '"\x7f"',
    '"\u2028"',
    '"\U0001f600"',
    "'a'",
    '"a',
    '"ok"',
    '"o\\u006b"',
    '"error"',
    '"OK"',
    '"measured"',
    '"estimated"',
    '"usage"',
    '"debit"',
    '"credit"',
    '"batch"',
    '"Batch"',
    '"standard_only"',
]
LONG_TEXTS = [
    f'"{unit * count}"'
    for unit in ("a", "é", "\U0001f600", "\\n", "\\u00e9", "\\ud83d\\ude00")
    for most in (NAME_LENGTH_MAX, MODEL_LENGTH_MAX, 512)
    for count in (most - 1, most, most + 1)
]
ODD_NUMBERS: list[str] = [
    *["0", "-0", "-0.0", "0.0", "1.0", "1e1", "1E+1", "1e-1", "1e400", "-1e400", "0e0"],
    *["01", "-01", "+1", ".5", "1.", "1e", "-", "0x10", "1_000", "1,5"],
    *["NaN", "-NaN", "Infinity", "-Infinity", "nan", "null", "true", "false", "True"],
    *[str(2**63 - 1), str(2**63), str(2**64 - 1), str(2**64), str(-(2**63) - 1)],
    *["9" * 400, "9" * 4400, "-" + "9" * 400, "0." + "1" * 400, "1" + "0" * 30 + "e-30"],
    *[str(TOKENS_MAX), str(TOKENS_MAX + 1), str(DURATION_MS_MAX), str(DURATION_MS_MAX + 1)],
]
NESTED = [
    "[" * depth + closing * depth
    for closing in ("]", "}", "")
    for depth in (1, 2, 199, 200, 201, 900, 1100, 3000)
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
).map(json.dumps)

DATES: list[str] = [
    *["2026-03-15", "2024-02-29", "2026-02-29", "2026-02-30", "2026-13-01", "2026-00-10"],
    *["2000-01-01", "1999-12-31", "2099-12-31", "2100-01-01", "0001-01-01", "9999-12-31"],
    *["0000-01-01", "10000-01-01", "26-03-15", "2026-3-15", "20260315", "-2026-03-15"],
]
CLOCKS: list[str] = [
    *["00:00:00", "12:00:00", "23:59:59", "23:59:60", "24:00:00", "12:60:00", "12:00"],
    *["120000", "1:00:00", "12:00:61"],
]
FRACTIONS = [
    "",
    ".",
    ".1",
    ".9999999",
    ".12345678",
    ".250",
    ".999999",
    ".9999994",
    ".9999995",
    ".99999999999",
    ",5",
    ".1x",
]
ZONES: list[str] = [
    *["Z", "z", "", "+00:00", "-00:00", "+05:30", "-23:59", "+23:59", "+24:00", "+00:60"],
    *[
        "+0100",
        "+01",
        "+1:00",
        " Z",
        "Z ",
        "UTC",
        "[UTC]",
        "+01:00:30",
        "\u221201:00",
    ],
]
SEPARATORS = ["T", "t", " ", "_", ""]
TIMES = st.builds(
    lambda date, separator, clock, fraction, zone: f'"{date}{separator}{clock}{fraction}{zone}"',
    st.sampled_from(DATES),
    st.sampled_from(SEPARATORS),
    st.sampled_from(CLOCKS),
    st.sampled_from(FRACTIONS),
    st.sampled_from(ZONES),
)
TOKENS = st.integers(-2, 20).map(str)
ODD_VALUES = [*ODD_TEXTS, *LONG_TEXTS, *ODD_NUMBERS, *NESTED]
VALUES = st.sampled_from(ODD_VALUES) | JSON_VALUES | TIMES | TOKENS

#: Fields that are valid by themselves but may contradict each other.
PLAUSIBLE = {
    **dict.fromkeys(["input_tokens", "output_tokens"], st.integers(0, 20).map(str)),
    **dict.fromkeys(
        ["cache_read_input_tokens", "cache_write_input_tokens", "reasoning_output_tokens"],
        st.integers(0, 12).map(str) | st.just("null"),
    ),
    **dict.fromkeys(
        sorted(
            set(PRICED_APART + COUNTED_TWICE).union(*(parts for parts, _ in CLOSER_SUBSETS))
            | {"audio_output_tokens", "image_output_tokens"}
        ),
        st.integers(0, 6).map(str) | st.just("null"),
    ),
    **dict.fromkeys(UNITS, st.integers(0, 3).map(str) | st.just("null")),
    "service_tier": st.sampled_from([*(f'"{tier}"' for tier in SERVICE_TIERS), '""', "null"]),
    "entry": st.sampled_from(['"usage"', '"debit"', '"credit"']),
    "adjusts": st.sampled_from(['"x"', "null"]),
    "reason": st.sampled_from(['"y"', "null"]),
    "status": st.sampled_from(['"ok"', '"error"']),
    "quality": st.sampled_from(['"measured"', '"estimated"']),
    "duration_ms": st.sampled_from(["0", "1500", "null"]),
    "time": TIMES,
}
SPACE = st.text(alphabet=" \t\r\n", max_size=2) | st.sampled_from(["", "\x0b", "\ufeff", "\x00"])


def write(fields: list[Field], before: str = "", after: str = "") -> bytes:
    body = ",".join(f'"{key}":{value}' for key, value in fields)
    return f"{before}{{{body}}}{after}".encode()


def outcome_of_wire(record: bytes) -> dict[str, Any] | None:
    try:
        event = wire.decode(record)
    except InvalidEventError:
        return None
    return {name: getattr(event, name) for name in event.__struct_fields__}


def outcome_of_model(record: bytes) -> dict[str, Any] | None:
    try:
        return UsageEvent.model_validate_json(record).model_dump()
    except ValidationError:
        return None


def assert_same(record: bytes) -> bool:
    """Hold the two decoders equal on one record; says whether they accept it."""
    expected = outcome_of_model(record)
    assert outcome_of_wire(record) == expected
    if expected is None:
        return False
    on_the_log = wire.encode(wire.decode(record))
    assert on_the_log == wire.encode(UsageEvent.model_validate_json(record))
    assert outcome_of_wire(on_the_log) == expected
    return True


def test_every_odd_value_in_every_field() -> None:
    accepted = 0
    adjustment = EVENT | {"entry": '"debit"', "adjusts": '"b"', "reason": '"why"'}
    for base, name in itertools.product((EVENT, adjustment), UsageEvent.model_fields):
        for value in ODD_VALUES:
            accepted += assert_same(write(list((base | {name: value}).items())))
    assert accepted > 100


def test_times() -> None:
    def same(date: str, separator: str, clock: str, fraction: str, zone: str) -> bool:
        text = f'"{date}{separator}{clock}{fraction}{zone}"'
        return assert_same(write(list((EVENT | {"time": text}).items())))

    accepted = [same(d, "T", c, "", z) for d, c, z in itertools.product(DATES, CLOCKS, ZONES)]
    accepted += [
        same(date, separator, "23:59:59", fraction, zone)
        for date, separator, fraction, zone in itertools.product(
            ("2026-03-15", "1999-12-31", "2099-12-31"), SEPARATORS, FRACTIONS, ZONES
        )
    ]
    assert 100 < sum(accepted) < len(accepted) - 100


@given(
    changes=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=2),
    dropped=st.sets(st.sampled_from(sorted(EVENT)), max_size=1),
    twice=st.booleans(),
    before=SPACE,
    after=SPACE,
)
@example(changes=[("input_tokens", "-1")], dropped=set(), twice=True, before="", after="")
@example(changes=[("id", "5")], dropped=set(), twice=True, before="", after="")
@example(changes=[("id", '"b"')], dropped=set(), twice=True, before="", after="")
@settings(max_examples=examples(1500), deadline=None)
def test_one_strange_field(
    changes: list[Field], dropped: set[str], twice: bool, before: str, after: str
) -> None:
    changed = dict(changes)
    kept = [field for field in EVENT.items() if field[0] not in dropped]
    if twice:
        # The strange value comes first, so that the last one of its key is a good one.
        fields = [*changes, *kept]
    else:
        fields = [*((key, value) for key, value in kept if key not in changed), *changes]
    assert_same(write(fields, before, after))


@given(fields=st.fixed_dictionaries({}, optional=PLAUSIBLE), order=st.randoms())
@settings(max_examples=examples(600), deadline=None)
def test_fields_that_may_contradict_each_other(fields: dict[str, str], order: Any) -> None:
    together = list((EVENT | fields).items())
    order.shuffle(together)
    assert_same(write(together))


@given(
    fields=st.fixed_dictionaries({}, optional=PLAUSIBLE),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), max_size=2),
)
@settings(max_examples=examples(1000), deadline=None)
def test_bytes_changed_anywhere(
    fields: dict[str, str], cuts: list[tuple[float, int, bytes]]
) -> None:
    record = write(list((EVENT | fields).items()))
    for place, length, inserted in cuts:
        at = int(place * len(record))
        record = record[:at] + inserted + record[at + length :]
    assert_same(record)


@given(names=st.lists(st.text(max_size=MODEL_LENGTH_MAX + 2), min_size=6, max_size=6))
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_names(names: list[str]) -> None:
    text_fields = ["id", "source", "tenant", "region", "provider", "model"]
    values = [json.dumps(name, ensure_ascii=False) for name in names]
    assert_same(write(list((EVENT | dict(zip(text_fields, values, strict=True))).items())))


@given(record=st.binary(max_size=40) | JSON_VALUES.map(str.encode))
@settings(max_examples=examples(300), deadline=None)
def test_any_bytes(record: bytes) -> None:
    assert_same(record)


def test_the_unchanged_event_is_accepted() -> None:
    # Without this, two decoders that reject everything would pass all of the above.
    assert assert_same(write(list(EVENT.items())))
    assert all(
        assert_same(write([*EVENT.items(), (name, "null")]))
        for name in OPTIONAL
        if name not in ("status", "quality", "entry")
    )
