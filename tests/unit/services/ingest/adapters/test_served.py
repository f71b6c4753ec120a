"""What a whole answer says beside its usage; what is no answer says nothing and breaks nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from services.ingest.adapters.served import beside_usage

SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}


def read(answer: Any) -> dict[str, Any]:
    return beside_usage(msgspec.Raw(json.dumps(answer).encode()))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, {}),
        ({"service_tier": "default"}, {"service_tier": "default"}),
        ({"service_tier": None}, {}),
        ({"output": []}, {}),
        ({"output": [SEARCH, SEARCH]}, {"web_searches": 2}),
        ({"output": [SEARCH | {"action": None}]}, {"web_searches": 1}),
        ({"output": [SEARCH | {"action": {"type": "open_page"}}]}, {}),
        ({"output": [SEARCH | {"action": {"type": "find_in_page"}}]}, {}),
        ({"output": [SEARCH | {"status": "failed"}]}, {}),
        ({"output": [{"type": "file_search_call"}, {"type": "message"}]}, {"file_searches": 1}),
        ({"output": [{"type": "function_call"}, {"type": ["x"]}]}, {}),
        ({"tool_usage": {"web_search": {"num_requests": 3}}}, {"web_searches": 3}),
        (
            {"tool_usage": {"web_search": {"num_requests": 3}}, "output": [SEARCH]},
            {"web_searches": 3},
        ),
        ({"tool_usage": {"web_search": {"num_requests": 0}}}, {"web_searches": 0}),
        ({"tool_usage": {"web_search": {"num_requests": True}}}, {}),
        ({"tool_usage": {"web_search": {"num_requests": -1}}}, {}),
        ({"tool_usage": {"web_search": None}}, {}),
        ({"tool_usage": [], "service_tier": "flex"}, {"service_tier": "flex"}),
        # What is none of a Responses API's costs the tier nothing.
        ({"output": "text", "service_tier": "flex"}, {"service_tier": "flex"}),
        ({"output": [1, 2], "service_tier": "flex"}, {"service_tier": "flex"}),
        ({"output": [{} for _ in range(60_000)], "service_tier": "flex"}, {"service_tier": "flex"}),
        ([], {}),
        ([SEARCH], {}),
        ("text", {}),
        (None, {}),
        (7, {}),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_is_told(answer: Any, told: dict[str, Any]) -> None:
    assert read(answer) == told


@pytest.mark.parametrize("text", [b"", b"{", b'{"service_tier": NaN}', b"[" * 5000])
def test_what_is_no_json_tells_nothing(text: bytes) -> None:
    assert beside_usage(msgspec.Raw(text)) == {}
