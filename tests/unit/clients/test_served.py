"""What an answer says beside its usage, as a mapping or as an object of a provider's SDK."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from wattoken.client import PriceFields, UsageFields, beside_usage
from wattoken.client.events import encode
from wattoken.client.served import calls, in_our_words

from schemas.price_class import SERVICE_TIERS, UNITS
from services.ingest.adapters import native, served
from services.ingest.adapters.usage_fields.tiers import TIERS
from services.ingest.keys.entry import KeyEntry

KEY = KeyEntry(id="abcd", hmac_sha256="0" * 64, tenant="acme", region="eu")


class Action(BaseModel):
    type: str


class Item(BaseModel):
    type: str
    status: str = "completed"
    action: Action | None = None


class Response(BaseModel):
    service_tier: str | None = None
    output: list[Item] = []


SEARCHED = Item(type="web_search_call", action=Action(type="search"))
OPENED = Item(type="web_search_call", action=Action(type="open_page"))
FAILED = Item(type="web_search_call", status="failed", action=Action(type="search"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Response(service_tier="flex"), {"service_tier": "flex"}),
        (Response(output=[SEARCHED, OPENED, FAILED, SEARCHED]), {"web_searches": 2}),
        (Response(output=[Item(type="file_search_call")]), {"file_searches": 1}),
        ({"output": [{"type": "web_search_call"}]}, {"web_searches": 1}),
        (
            {
                "tool_usage": {"web_search": {"num_requests": 0}},
                "output": [{"type": "web_search_call"}],
            },
            {"web_searches": 0},
        ),
        ({"tool_usage": {"web_search": {"num_requests": True}}}, {}),
        ({"serviceTier": {"type": "priority"}}, {"service_tier": "priority"}),
        (
            {
                "candidates": [
                    {"groundingMetadata": {"webSearchQueries": ["a", "b", "a", ""]}},
                    {"groundingMetadata": {"webSearchQueries": ["b"]}},
                    {"content": {}},
                ]
            },
            {"web_searches": 2},
        ),
        (
            {"candidates": [{"grounding_metadata": {"web_search_queries": ["a"]}}]},
            {"web_searches": 1},
        ),
        ({"candidates": [{"groundingMetadata": {}}]}, {}),
        ({"service_tier": None, "serviceTier": "priority", "output": 3, "candidates": {}}, {}),
        ({"service_tier": 3, "output": [3, {"type": ["x"]}]}, {}),
        ("redacted", {}),
        (None, {}),
        ([], {}),
    ],
)
def test_what_an_answer_tells(answer: object, told: dict[str, Any]) -> None:
    assert beside_usage(answer) == told


ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["web_search_call", "file_search_call", "message", None])},
    optional={
        "status": st.sampled_from(["completed", "failed", "in_progress", None]),
        "action": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {"type": st.sampled_from(["search", "open_page", "find_in_page", None])}
            ),
        ),
    },
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "service_tier": st.sampled_from([None, "auto", "default", "flex"]),
            "output": st.lists(ITEMS, max_size=6),
            "tool_usage": st.sampled_from(
                [None, {}, {"web_search": None}, {"web_search": {"num_requests": 2}}]
            ),
        },
    )
)
def test_ingest_reads_the_same_of_openais_answers(answer: dict[str, Any]) -> None:
    assert beside_usage(answer) == served.beside_usage(msgspec.Raw(msgspec.json.encode(answer)))


def test_calls_of_nothing_tell_nothing() -> None:
    assert calls(None) == calls([]) == calls({"type": "web_search_call"}) == {}


@pytest.mark.parametrize("word", ["auto", "turbo", ""])
def test_a_word_that_says_nothing_is_left_out_of_an_estimate(word: str) -> None:
    told: PriceFields = {"service_tier": word, "web_searches": 1}
    assert in_our_words(told) == {"web_searches": 1}
    assert told["service_tier"] == word


@pytest.mark.parametrize("word", ["default", "on_demand", "standard", "batch", "flex", "priority"])
def test_a_known_word_is_the_one_of_ingest(word: str) -> None:
    assert in_our_words({"service_tier": word}) == {"service_tier": TIERS[word]}
    assert TIERS[word] in SERVICE_TIERS


def test_it_is_what_record_takes() -> None:
    assert {*get_type_hints(PriceFields), *UNITS} <= set(get_type_hints(UsageFields))
    usage = {"input_tokens": 1, "output_tokens": 1}
    fields: dict[str, Any] = {
        "id": "1", "time": "2026-03-15T12:00:00Z", "source": "s", "provider": "openai",
        "model": "gpt-5", "usage": usage, "usage_format": "openai_responses",
        **beside_usage(Response(service_tier="default", output=[SEARCHED])),
    }  # fmt: skip
    event = native.adapt(encode(fields, {}), KEY)
    assert (event.service_tier, event.web_searches) == ("standard", 1)
