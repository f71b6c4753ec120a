"""Under which names other providers may sell the same models, and who does."""

from __future__ import annotations

import pytest

from services.billing.plans.known import candidates, model_key, sellers_of
from services.billing.plans.plan import Labels

OPUS = Labels("us", "Anthropic", "claude-opus-5.5")
GPT = Labels("us", "openai", "gpt-5")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("claude-opus-5.5", "anthropic/Claude-Opus-5-5", True),
        ("gpt-5", "models/openai/gpt-5", True),
        ("gpt-5", "gpt-5-mini", False),
        ("v1.x", "v1-x", False),
    ],
)
def test_names_of_one_model(one: str, other: str, same: bool) -> None:
    assert (model_key(one) == model_key(other)) is same


def test_a_model_is_tried_by_its_own_name_and_by_a_lists_the_shortest_first() -> None:
    listed = [
        ("router", "eu/anthropic/claude-opus-5-5"),
        ("router", "anthropic/claude-opus-5-5"),
        ("router", "anthropic/claude-opus-4"),
    ]
    found = candidates([OPUS], ["router", "anthropic", "cloud"], listed)
    assert [*found] == [
        Labels("us", "cloud", "claude-opus-5.5"),
        Labels("us", "router", "claude-opus-5.5"),
        Labels("us", "router", "anthropic/claude-opus-5-5"),
        Labels("us", "router", "eu/anthropic/claude-opus-5-5"),
    ], "not at the provider that it is of, however that is written"
    assert set(found.values()) == {OPUS}


def test_who_has_a_price_sells_it_by_the_first_name_that_has_one() -> None:
    tried = candidates([OPUS, GPT], ["cloud", "router"], [("router", "x/claude-opus-5-5")])
    priced = [Labels("us", "router", "x/claude-opus-5-5"), Labels("us", "cloud", "gpt-5")]
    priced.append(Labels("us", "router", "gpt-5"))
    assert sellers_of(tried, priced) == {
        "cloud": {GPT: "gpt-5"},
        "router": {OPUS: "x/claude-opus-5-5", GPT: "gpt-5"},
    }
    assert sellers_of(tried, []) == {}
