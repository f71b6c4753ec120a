"""Which export a file is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.platform.errors import ConfigurationError
from services.reconcile.formats.detecting import Reader
from tests.unit.services.reconcile.formats.golden import GOLDEN
from tests.versions.effort import examples


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("openai_usage_completions.json", "OpenAI usage"),
        ("openai_usage.csv", "OpenAI usage"),
        ("openai_costs.json", "OpenAI costs"),
        ("openai_costs.csv", "OpenAI costs"),
        ("anthropic_usage.json", "Anthropic usage"),
        ("anthropic_usage.csv", "Anthropic usage"),
        ("anthropic_costs.json", "Anthropic costs"),
        ("anthropic_costs.csv", "Anthropic costs"),
        ("litellm_spend_logs.json", "LiteLLM spend logs"),
        ("litellm_spend_logs.csv", "LiteLLM spend logs"),
        ("litellm_days.csv", "LiteLLM spend by day"),
        ("focus_1_0.csv", "FOCUS"),
        ("focus_1_4.csv", "FOCUS"),
    ],
)
def test_each_file_is_known_by_what_is_in_it(name: str, format_: str) -> None:
    text = (GOLDEN / name).read_text(encoding="utf-8")
    for marked in (text, f"\ufeff{text}"):
        reader = Reader()
        reader.read("bill", marked)
        assert [bill.format for bill in reader.bills()] == [format_]


def test_every_golden_file_is_in_a_test() -> None:
    (mark,) = (one for one in test_each_file_is_known_by_what_is_in_it.pytestmark)  # type: ignore[attr-defined]
    assert {name for name, _ in mark.args[1]} == {path.name for path in GOLDEN.iterdir()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bill is empty"),
        ("hello", "bill is no export that is known .* it has hello"),
        ("a,b\n1,2\n", "it has a, b"),
        ('{"data": []}', "has no row"),
        ('{"a": 1}', "it has a"),
        ('{"a": ', "bill: no JSON: .* in line 1, column"),
        ("[1, 2]", "bill must be a list of objects"),
        ("date,spend,prompt_tokens,completion_tokens\n1,2,3\n", "line 2: 3 fields under 4"),
        ('usage_date_utc,cost_usd\n2026-10-01,"1\n', "bill, line 2: unexpected end of data"),
    ],
)
def test_what_is_no_bill_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Reader().read("bill", text)


JUNK = (
    '""',
    "null",
    "{}",
    "[]",
    "-1",
    "1e400",
    "NaN",
    "9" * 40,
    "2026-99-99",
    "true",
    '"',
    ",",
    "\x00",
)


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted(GOLDEN.iterdir())), st.data())
def test_a_broken_file_is_an_error_that_a_person_can_read(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    words = [*re.finditer(r'"[^"]*"|[\w.:-]+', text)]
    for word in data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=2)):
        junk = data.draw(st.sampled_from(JUNK))
        text = text[: word.start()] + junk + text[word.end() :]
    reader = Reader()
    try:
        reader.read("bill", text)
        reader.bills()
    except ConfigurationError as error:
        assert "bill" in str(error)


def nodes(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the path of every node of a JSON document but the whole."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [found for key, inner in items for found in ((*path, key), *nodes(inner, (*path, key)))]


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted(GOLDEN.glob("*.json"))), st.data())
def test_a_page_of_another_shape_is_an_error_too(path: Path, data: st.DataObject) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    *way, last = data.draw(st.sampled_from(nodes(document)))
    at = document
    for key in way:
        at = at[key]
    at[last] = data.draw(st.sampled_from([None, 5, "x", [], [5], {}, {"a": 1}, True, 1e300]))
    reader = Reader()
    try:
        reader.read("bill", json.dumps(document))
        reader.bills()
    except ConfigurationError as error:
        assert "bill" in str(error)
