"""Whatever a provider's usage holds, no token is counted twice and none is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.ingest.adapters import provider_usage
from services.ingest.errors import EVENT_CODES, EventRejectedError
from tests.unit.services.ingest.adapters.usage_writers import (
    CLASSES,
    TOLD,
    UNREPORTED,
    WRITERS,
    Used,
    anthropic,
    as_told,
    expected,
)

COUNT = st.integers(min_value=0, max_value=10**9)
USED = st.fixed_dictionaries(dict.fromkeys(CLASSES, COUNT))
#: What a sum may not be changed in: these have none, or it is a total itself.
_SUMS = ("total_tokens", "totalTokenCount", "totalTokens", "cache_creation_input_tokens")
_WITHOUT_SUM = ("cohere", "ollama", "embeddings")
COUNTS = (
    *("input_tokens", "output_tokens", "cache_read_input_tokens"),
    *("cache_write_input_tokens", "reasoning_output_tokens"),
)
#: The parts that a class of tokens is told by.
FIELDS = {
    "cache_write_5m": ("cache_write_5m_input_tokens",),
    "cache_write_1h": ("cache_write_1h_input_tokens",),
    "audio": ("audio_input_tokens",),
    "image": ("image_input_tokens",),
    "cached_audio": ("audio_input_tokens", "cache_read_audio_input_tokens"),
    "cached_image": ("image_input_tokens", "cache_read_image_input_tokens"),
    "audio_output": ("audio_output_tokens",),
    "image_output": ("image_output_tokens",),
}
#: Numbers that are no counts, wherever they stand.
NO_COUNTS = ["5", -1, 2**64, 10**40, True, 1.5, float("nan"), float("inf"), [1]]


def test_each_format_has_a_writer() -> None:
    assert set(WRITERS) == set(provider_usage.FORMATS)


@pytest.mark.parametrize("name", WRITERS)
@given(used=USED)
@settings(max_examples=25, deadline=None)
def test_each_token_is_counted_once(name: str, used: Used) -> None:
    used = as_told(name, used)
    totals = provider_usage.read(WRITERS[name](used), name)
    whole = expected(used)
    for field in COUNTS:
        value = getattr(totals, field)
        if field in UNREPORTED.get(name, ()):
            assert value in (None, 0, getattr(whole, field))
        else:
            assert value == getattr(whole, field), field
    assert {field: whole.parts[field] for field in totals.parts} == dict(totals.parts)
    told = {field for one in TOLD.get(name, ()) for field in FIELDS[one]}
    assert told <= totals.parts.keys()


@given(used=USED, output=COUNT)
def test_anthropics_deltas_may_leave_out_the_input(used: Used, output: int) -> None:
    used = as_told("anthropic", used)
    start = anthropic(used)
    deltas = [{"output_tokens": output // 2}, {"output_tokens": output}]
    assume(output > 0)  # A 0 takes nothing back.
    if output < used["reasoning"]:
        start["output_tokens_details"] = None
    totals = provider_usage.read([start, *deltas], "anthropic")
    assert totals.input_tokens == expected(used).input_tokens
    assert totals.output_tokens == output


@pytest.mark.parametrize("name", [one for one in WRITERS if one not in _WITHOUT_SUM])
@given(used=USED, off=st.integers(min_value=1, max_value=10**6))
@settings(max_examples=25, deadline=None)
def test_a_sum_that_does_not_add_up_is_refused(name: str, used: Used, off: int) -> None:
    used = as_told(name, used)
    # A breakdown of zeros breaks nothing down.
    assume(expected(used).cache_write_input_tokens or name.startswith("gemini"))
    usage = WRITERS[name](used)
    field = next(one for one in _SUMS if one in usage)
    usage[field] += off
    # These are sums that an API is known to give.
    reasoning = used["reasoning"]
    also = {
        "perplexity": (7, reasoning, reasoning + 7),
        "gemini_live": (reasoning,),
        "litellm": (reasoning,),
    }
    assume(off not in also.get(name, ()))
    assume(name != "mistral" or used["audio"])  # Without a number audio is what is left.
    with pytest.raises(EventRejectedError) as caught:
        provider_usage.read(usage, name)
    assert caught.value.code == "total_mismatch"


@pytest.mark.parametrize("name", WRITERS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_anything_else_is_a_rejection(name: str, data: st.DataObject) -> None:
    chosen = provider_usage.FORMATS[name].register
    usage = WRITERS[name](as_told(name, dict.fromkeys(CLASSES, 5)))
    read = {
        one.path
        for fields in chosen.by_quantity.values()
        for one in fields
        if one.path in usage and isinstance(usage[one.path], int) and not one.in_seconds
    }
    assume(read)
    field = data.draw(st.sampled_from(sorted(read)))
    usage[field] = data.draw(st.sampled_from(NO_COUNTS))
    with pytest.raises(EventRejectedError) as caught:
        provider_usage.read(usage, name)
    assert caught.value.code in EVENT_CODES
    assert f"usage.{field}" in caught.value.message


@pytest.mark.parametrize("value", NO_COUNTS)
def test_what_no_rule_reads_may_be_anything(value: Any) -> None:
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "cost": value,
        "completion_tokens_details": {"text_tokens": value},
        "new": {"name": value},
    }
    assert provider_usage.read(usage, "openai_chat").input_tokens == 3


@pytest.mark.parametrize("usage", [None, 5, "x", [], [5], [None]])
def test_what_is_no_usage_object_is_refused(usage: object) -> None:
    with pytest.raises(EventRejectedError, match="^usage "):
        provider_usage.read(usage, "openai_chat")
