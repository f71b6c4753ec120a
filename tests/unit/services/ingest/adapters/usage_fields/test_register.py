"""Every number has its class, and one that has none is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters.price_facts import PARTS, UNITS
from services.ingest.adapters.provider_usage import FORMATS
from services.ingest.adapters.usage_fields.fields import (
    FieldClass,
    Quantity,
    breakdown,
    inside,
    known,
    other_unit,
    tier,
    total,
    unit,
)
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.adapters.usage_fields.tiers import SPEEDS
from tests.unit.services.ingest.adapters.usage_writers import CLASSES, WRITERS

REGISTER = Register(
    "made-up",
    total(Quantity.INPUT, "prompt", "details.prompt"),
    breakdown(FieldClass.BESIDE, Quantity.CACHE_WRITE, "written"),
    other_unit("cost.*"),
    known("list[].tokens", "rows[].*"),
    inside(Quantity.AUDIO_INPUT, "kinds[kind=AUDIO].tokens"),
    known("kinds[kind=TEXT].tokens"),
    unit(Quantity.WEB_SEARCHES, "tools.web+news"),
    tier("tier", "how.tier"),
    tier("speed", words=SPEEDS),
)


@pytest.mark.parametrize(
    ("usage", "unread"),
    [
        ({}, []),
        ({"prompt": 1, "details": {"prompt": 1}}, []),
        ({"written": {"5m": 1, "24h": 2}}, []),
        ({"cost": 0.5}, []),
        ({"cost": {"total": 0.5, "deep": {"er": 1}}}, []),
        ({"list": [{"tokens": 1}, {"tokens": 2}], "rows": [{"a": 1, "b": {"c": 2}}]}, []),
        ({"new": 0}, ["new"]),
        ({"new": 0.5, "details": {"new": 3}}, ["new", "details.new"]),
        ({"list": [{"new": 1}, {"new": 2}]}, ["list[].new"]),
        ({"list": [1, 2]}, ["list[]"]),
        ({"new": True, "text": "5", "none": None, "empty": {}}, []),
        ({"prompt": {"new": 1}}, ["prompt.new"]),
        ({"tools": {"web": 1, "news": 2, "new": 3}}, ["tools.new"]),
        # A word decides what a number is, or what it costs: one that nobody knows is named as well.
        ({"kinds": [{"kind": "AUDIO", "tokens": 1}, {"kind": "text", "tokens": 2}]}, []),
        ({"kinds": [{"kind": "SMELL", "tokens": 1}]}, ["kinds[].kind.SMELL"]),
        ({"kinds": [{"kind": 7, "tokens": 1}, 8]}, ["kinds[].kind", "kinds[]"]),
        ({"tier": "default", "speed": "standard", "how": {"tier": "auto"}}, []),
        ({"tier": "new", "how": {"tier": "newer"}}, ["tier.new", "how.tier.newer"]),
        ({"tier": None, "how": "x"}, []),
        # Of two that contradict each other neither is metered.
        ({"tier": "batch", "speed": "fast"}, ["tier.batch", "speed.fast"]),
    ],
)
def test_unread(usage: dict[str, Any], unread: list[str]) -> None:
    assert REGISTER.unread(usage) == unread


def test_a_path_is_classed_once() -> None:
    with pytest.raises(ValueError, match="made-up: a is classed twice"):
        Register("made-up", total(Quantity.INPUT, "a"), known("a"))
    with pytest.raises(ValueError, match=r"made-up: a\.c is classed twice"):
        Register("made-up", unit(Quantity.IMAGES, "a.b+c"), known("a.c"))


def test_an_object_that_is_no_providers_is_not_walked_for_ever() -> None:
    deep: dict[str, Any] = {"n": 1}
    for _ in range(1000):
        deep = {"n": deep, "m": 1}
    assert sorted(REGISTER.unread(deep)) == sorted("n." * depth + "m" for depth in range(6))
    assert len(REGISTER.unread({str(number): number for number in range(10**5)})) <= 64


@pytest.mark.parametrize("name", FORMATS)
def test_every_number_that_a_format_writes_is_classed(name: str) -> None:
    register = FORMATS[name].register
    assert register.name == name
    usage = WRITERS[name](dict.fromkeys(CLASSES, 8))
    assert register.unread(usage) == []
    assert register.unread(usage | {"tomorrows_tokens": 1}) == ["tomorrows_tokens"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_read_is_a_count_of_tokens(name: str) -> None:
    for field in FORMATS[name].register.fields:
        if field.quantity is not None:
            assert field.field_class not in (FieldClass.OTHER_UNIT, FieldClass.KNOWN), field.path
        else:
            assert field.field_class in (
                *(FieldClass.OTHER_UNIT, FieldClass.KNOWN, FieldClass.TOTAL),
                FieldClass.TIER,
            ), field.path


def test_each_field_of_an_event_is_read_of_some_format() -> None:
    read = {one for name in FORMATS for one in FORMATS[name].register.by_quantity}
    assert {quantity for alike in (*PARTS.values(), *UNITS.values()) for quantity in alike} <= (
        # Compactions are read one by one.
        read | {Quantity.COMPACTION_CACHE_WRITE_5M, Quantity.COMPACTION_CACHE_WRITE_1H}
    )


def test_what_is_there_and_is_no_token_is_named() -> None:
    assert REGISTER.unit({"prompt": 1, "cost": {"a": 2}}) == "cost.a"
    assert REGISTER.unit({"tools": {"news": 1}}) == "tools.news"
    assert REGISTER.unit({"prompt": 1, "new": 1, "list": [{"tokens": 1}]}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below),
    max_leaves=20,
)


@given(usage=st.dictionaries(st.text(max_size=8), JSON))
@settings(max_examples=50, deadline=None)
def test_whatever_comes_it_lists_names(usage: dict[str, Any]) -> None:
    found = REGISTER.unread(usage)
    assert len(found) == len(set(found)) <= 32
