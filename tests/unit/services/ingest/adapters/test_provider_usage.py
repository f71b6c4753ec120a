"""Whatever a provider's usage holds, no token is counted twice and none is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters import provider_usage
from services.ingest.adapters.totals import Totals
from services.ingest.errors import EVENT_CODES, EventRejectedError

COUNT = st.integers(min_value=0, max_value=10**9)
#: What a request really used, each token in exactly one class.
USED = st.fixed_dictionaries(
    dict.fromkeys(("uncached", "cache_read", "cache_write", "output", "reasoning"), COUNT)
)
Used = dict[str, int]


def expected(used: Used) -> Totals:
    return Totals(
        input_tokens=used["uncached"] + used["cache_read"] + used["cache_write"],
        output_tokens=used["output"] + used["reasoning"],
        cache_read_input_tokens=used["cache_read"],
        cache_write_input_tokens=used["cache_write"],
        reasoning_output_tokens=used["reasoning"],
    )


def openai_chat(used: Used) -> dict[str, Any]:
    whole = expected(used)
    return {
        "prompt_tokens": whole.input_tokens,
        "completion_tokens": whole.output_tokens,
        "total_tokens": whole.input_tokens + whole.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": used["cache_read"],
            "cache_write_tokens": used["cache_write"],
        },
        "completion_tokens_details": {"reasoning_tokens": used["reasoning"]},
    }


def openai_responses(used: Used) -> dict[str, Any]:
    chat = openai_chat(used)
    return {
        "input_tokens": chat["prompt_tokens"],
        "input_tokens_details": chat["prompt_tokens_details"],
        "output_tokens": chat["completion_tokens"],
        "output_tokens_details": chat["completion_tokens_details"],
        "total_tokens": chat["total_tokens"],
    }


def xai_chat(used: Used) -> dict[str, Any]:
    return openai_chat(used) | {"completion_tokens": used["output"]}


def anthropic(used: Used) -> dict[str, Any]:
    return {
        "input_tokens": used["uncached"],
        "cache_read_input_tokens": used["cache_read"],
        "cache_creation_input_tokens": used["cache_write"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": used["cache_write"] // 3,
            "ephemeral_1h_input_tokens": used["cache_write"] - used["cache_write"] // 3,
        },
        "output_tokens": used["output"] + used["reasoning"],
        "output_tokens_details": {"thinking_tokens": used["reasoning"]},
    }


def gemini(used: Used) -> dict[str, Any]:
    whole = expected(used)
    return {
        "promptTokenCount": whole.input_tokens,
        "cachedContentTokenCount": used["cache_read"],
        "candidatesTokenCount": used["output"],
        "thoughtsTokenCount": used["reasoning"],
        "totalTokenCount": whole.input_tokens + whole.output_tokens,
    }


WRITERS = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "xai_chat": xai_chat,
    "anthropic": anthropic,
    "gemini": gemini,
}


def test_each_format_has_a_writer() -> None:
    assert set(WRITERS) == set(provider_usage.FORMATS)


@pytest.mark.parametrize("name", WRITERS)
@given(used=USED)
@settings(max_examples=60, deadline=None)
def test_each_token_is_counted_once(name: str, used: Used) -> None:
    totals = provider_usage.read(WRITERS[name](used), name)
    whole = expected(used)
    assert (totals.input_tokens, totals.output_tokens) == (whole.input_tokens, whole.output_tokens)
    assert totals.cache_read_input_tokens == whole.cache_read_input_tokens
    # Gemini tells nothing of cache writes, so they stay unreported.
    assert totals.cache_write_input_tokens in (whole.cache_write_input_tokens, None)
    assert totals.reasoning_output_tokens == whole.reasoning_output_tokens
    cached = (totals.cache_read_input_tokens or 0) + (totals.cache_write_input_tokens or 0)
    assert cached <= totals.input_tokens
    assert (totals.reasoning_output_tokens or 0) <= totals.output_tokens


@pytest.mark.parametrize("name", WRITERS)
@given(used=USED, told=st.lists(st.integers(min_value=0, max_value=100), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_of_a_stream_the_latest_counts_whatever_came_before(
    name: str, used: Used, told: list[int]
) -> None:
    write = WRITERS[name]
    so_far = [write(used | {"output": used["output"] * percent // 100}) for percent in sorted(told)]
    chunks: list[Any] = [None, *so_far, None, write(used), None]
    assert provider_usage.read(chunks, name) == provider_usage.read(write(used), name)


@given(used=USED, output=COUNT)
def test_anthropics_deltas_may_leave_out_the_input(used: Used, output: int) -> None:
    start = anthropic(used)
    deltas = [{"output_tokens": output // 2}, {"output_tokens": output}]
    if output < used["reasoning"]:
        start["output_tokens_details"] = None
    totals = provider_usage.read([start, *deltas], "anthropic")
    assert totals.input_tokens == expected(used).input_tokens
    assert totals.output_tokens == output


@pytest.mark.parametrize("name", WRITERS)
@given(used=USED, off=st.integers(min_value=1, max_value=10**6))
@settings(max_examples=50, deadline=None)
def test_a_sum_that_does_not_add_up_is_refused(name: str, used: Used, off: int) -> None:
    usage = WRITERS[name](used)
    sums = ("total_tokens", "totalTokenCount", "cache_creation_input_tokens")
    usage[next(one for one in sums if one in usage)] += off
    with pytest.raises(EventRejectedError) as caught:
        provider_usage.read(usage, name)
    assert caught.value.code == "total_mismatch"


@pytest.mark.parametrize("name", WRITERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_anything_else_is_a_rejection(name: str, data: st.DataObject) -> None:
    usage = WRITERS[name](dict.fromkeys(("uncached", "cache_read", "output"), 5) | {
        "cache_write": 0, "reasoning": 5
    })  # fmt: skip
    field = data.draw(st.sampled_from(sorted(usage)))
    usage[field] = data.draw(
        st.sampled_from(["5", -1, 2**64, 10**40, True, 1.0, float("nan"), float("inf"), [1]])
    )
    with pytest.raises(EventRejectedError) as caught:
        provider_usage.read(usage, name)
    assert caught.value.code in EVENT_CODES
    assert f"usage.{field}" in caught.value.message


@pytest.mark.parametrize("usage", [None, 5, "x", [], [5], [None]])
def test_what_is_no_usage_object_is_refused(usage: object) -> None:
    with pytest.raises(EventRejectedError, match="^usage "):
        provider_usage.read(usage, "openai_chat")
