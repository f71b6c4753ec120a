"""No pattern that is used on a request looks back: repeats of what has no bound are possessive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import services.ingest

PACKAGE = Path(services.ingest.__file__).parent
#: They see names of at most 256 characters or messages of ours, or look once from a place.
BOUNDED = {
    "services.ingest.failed_calls",
    "services.ingest.openapi.page",
    "services.ingest.adapters.usage_fields.unread",
}


def modules() -> Iterator[ModuleType]:
    for file in PACKAGE.rglob("*.py"):
        if "re.compile(" in file.read_text():
            name = ".".join(("services.ingest", *file.relative_to(PACKAGE).with_suffix("").parts))
            if name not in BOUNDED:
                yield import_module(name)


def greedy(pattern: re.Pattern[Any]) -> list[str]:
    """Find repeats without a bound, or of more than a few hundred, that may give back."""
    parsed = re._parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    return list(_greedy(parsed))


def _greedy(parsed: Any) -> Iterator[str]:
    for op, value in parsed:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT") and value[1] > 300:
            yield f"{name} {value}"
        yield from _within(value)


def _within(value: Any) -> Iterator[str]:
    if hasattr(value, "data"):
        yield from _greedy(value)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _within(one)


def test_no_pattern_of_the_request_path_looks_back() -> None:
    patterns = [
        (module.__name__, name, value)
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    ]
    assert len(patterns) > 5
    assert {
        f"{module}.{name}": found for module, name, one in patterns if (found := greedy(one))
    } == {}


def test_it_would_see_one_that_does() -> None:
    assert greedy(re.compile(rb'"(?:[^"\\]|\\.)*"'))
    assert greedy(re.compile(r"a+b"))
    assert not greedy(re.compile(r"a++b"))
