"""Paths lead to what they name, add up what is joined, and refuse what is of another type."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.adapters.usage_fields.fields import Quantity, unit
from services.ingest.adapters.usage_fields.paths import elements, leaves
from services.ingest.adapters.usage_fields.reading import gather
from services.ingest.adapters.usage_fields.register import Register
from services.ingest.errors import EventRejectedError


def read(path: str, usage: dict[str, Any]) -> int | None:
    register = Register("made-up", unit(Quantity.IMAGES, path))
    return gather(usage, register, "usage.").get(Quantity.IMAGES)


@pytest.mark.parametrize(
    ("path", "usage", "count"),
    [
        ("n", {"n": 3}, 3),
        ("n", {"n": None}, None),
        ("n", {}, None),
        ("a.b.n", {"a": {"b": {"n": 3}}}, 3),
        ("a.b.n", {"a": {"b": None}}, None),
        ("a.b.n", {"a": []}, None),
        ("a.x+y", {"a": {"x": 3, "y": 4}}, 7),
        ("a.x+y", {"a": {"y": 4}}, 4),
        ("a.x+y", {"a": {"x": 0}}, 0),
        ("a.x+y", {"a": {"z": 1}}, None),
        ("a.x+y.n", {"a": {"x": {"n": 3}, "y": {"n": 4}}}, 7),
        ("list[kind=A].n", {"list": [{"kind": "A", "n": 3}, {"kind": "B", "n": 4}]}, 3),
        ("list[kind=A+B].n", {"list": [{"kind": "A", "n": 3}, {"kind": "B", "n": 4}]}, 7),
        ("list[kind=A].n", {"list": [{"kind": "a", "n": 3}, {"kind": "A", "n": 4}]}, 7),
        ("list[kind=A].n", {"list": [{"kind": "B", "n": 4}]}, None),
        ("list[kind=A].n", {"list": [{"kind": "A"}, {"n": 4}, None, 5, {"kind": 7, "n": 1}]}, None),
        ("list[kind=A].n", {"list": []}, None),
        ("list[kind=A].n", {"list": {}}, None),
        ("list[kind=A].n", {"list": None}, None),
    ],
)
def test_what_a_path_reads(path: str, usage: dict[str, Any], count: int | None) -> None:
    assert read(path, usage) == count


@pytest.mark.parametrize(
    ("path", "usage", "message"),
    [
        ("a.n", {"a": 5}, "usage.a is the number 5: give a JSON object"),
        ("list[kind=A].n", {"list": "x"}, "usage.list is the text 'x': give a JSON array"),
        ("list[kind=A].n", {"list": [{"kind": "A", "n": "x"}]}, "usage.list[].n is the text 'x'"),
        ("a.x+y", {"a": {"x": 1, "y": -1}}, "usage.a.y is the number -1"),
    ],
)
def test_what_it_refuses(path: str, usage: dict[str, Any], message: str) -> None:
    with pytest.raises(EventRejectedError) as caught:
        read(path, usage)
    assert message in caught.value.message


def test_places_are_those_that_a_walk_over_an_object_finds() -> None:
    assert [leaf.place for leaf in leaves("a.x+y.n")] == ["a.x.n", "a.y.n"]
    assert [leaf.place for leaf in leaves("list[kind=A+B].n")] == ["list[].n"]
    assert [leaf.place for leaf in leaves("iterations[].n")] == ["iterations[].n"]
    assert [leaf.place for leaf in leaves("cost.*")] == ["cost.*"]


def test_a_list_that_is_no_providers_is_not_walked_for_ever() -> None:
    assert len(list(elements({"list": [{}] * 10_000}, "list"))) == 64
