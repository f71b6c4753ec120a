"""No name on the log moves a cursor: refused in every format, on every path, in every encoding."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from schemas import wire
from services.ingest.salvage import TEXTS
from services.platform.printable import not_printable
from tests.unit.services.ingest.adapters.golden_cases import Case, read_cases, run

HOSTILE = ("\x1b[2J", "\u202e")


def one_of_each() -> dict[str, Case]:
    """A case that is metered, for each path, media type and encoding."""
    chosen: dict[str, Case] = {}
    for case in read_cases():
        request = case.document["request"]
        headers = "".join(sorted(request.get("headers", {})))[:2]
        name = f"{case.path} {request['content_type']} {case.encoding} {headers}".strip()
        if name not in chosen and "body" in request and run(case).records:
            chosen[name] = case
    return chosen


CASES = one_of_each()


def places(value: Any, texts: set[str]) -> Iterator[tuple[Any, Any]]:
    """Find where one of these texts stands."""
    if isinstance(value, dict | list):
        for at, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, str) and inner in texts:
                yield value, at
            yield from places(inner, texts)


def names_of(case: Case) -> set[str]:
    events = [wire.decode(record["value"]) for record in run(case).records]
    return {text for event in events for name in TEXTS if (text := getattr(event, name))}


@pytest.mark.parametrize("name", CASES)
def test_a_name_that_is_not_printable_is_refused(name: str) -> None:
    case = CASES[name]
    whole = len(run(case).records)
    names = names_of(case)
    found = list(places(case.document["request"]["body"], names))
    assert found, "the case has none of the names that are metered"
    refused = 0
    for number in range(len(found)):
        document = copy.deepcopy(case.document)
        within, at = list(places(document["request"]["body"], names))[number]
        within[at] += HOSTILE[number % len(HOSTILE)]
        outcome = run(Case(case.name, document, case.encoding))
        for record in outcome.records:
            event = wire.decode(record["value"])
            assert not any(not_printable(getattr(event, one) or "") for one in TEXTS)
        # Some of them tell what the others are, and are refused for that.
        refused += len(outcome.records) < whole and "not printable" in outcome.answer.text
    assert refused


def test_every_path_is_tried() -> None:
    paths = {case.path for case in CASES.values()}
    assert paths == {case.path for case in read_cases()}
