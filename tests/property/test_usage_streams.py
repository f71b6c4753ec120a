"""The usages of one stream, in whatever pieces a server tells them, are metered once and whole."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from wattoken.client.stream_usage import AnswerReader

from services.ingest.adapters import provider_usage
from tests.unit.services.ingest.adapters.usage_writers import (
    CLASSES,
    WRITERS,
    Used,
    as_told,
    expected,
)
from tests.versions.effort import examples

COUNT = st.one_of(st.just(0), st.integers(min_value=0, max_value=10**6))
USED = st.fixed_dictionaries(dict.fromkeys(CLASSES, COUNT))
#: Their input and output in Anthropic's shape: numbers that belong together.
BESIDE = ("anthropic", "bedrock_converse")
MODEST = settings(max_examples=examples(120), deadline=None)
FORMAT = st.sampled_from(sorted(WRITERS))


def zeros(usage: Any) -> Any:
    """The same object with every count 0, as some servers end with."""
    if isinstance(usage, dict):
        return {name: zeros(value) for name, value in usage.items()}
    if isinstance(usage, list):
        return []
    return usage if isinstance(usage, bool) else 0


@st.composite
def silences(draw: st.DrawFn, usage: dict[str, Any]) -> list[Any]:
    """Chunks that say nothing: null, empty, all zeros, or zeros of some of the names."""
    some = draw(st.sets(st.sampled_from(sorted(usage))))
    partly = {name: value for name, value in zeros(usage).items() if name in some}
    return draw(st.lists(st.sampled_from([None, {}, zeros(usage), partly]), min_size=0, max_size=3))


@given(name=FORMAT, used=USED, told=st.lists(st.integers(0, 100), max_size=4), data=st.data())
@MODEST
def test_cumulative_chunks_count_once_whatever_silence_is_between(
    name: str, used: Used, told: list[int], data: st.DataObject
) -> None:
    """Grows to the whole; then nulls, empty and zero objects take nothing back."""
    write, used = WRITERS[name], as_told(name, used)
    whole = write(used)
    chunks: list[Any] = []
    for percent in sorted(told):
        chunks.append(write(used | {"output": used["output"] * percent // 100}))
        chunks += data.draw(silences(whole))
    chunks += [whole, *data.draw(silences(whole))]
    assert provider_usage.read(chunks, name) == provider_usage.read(whole, name)


@given(name=FORMAT, used=USED)
@MODEST
def test_one_chunk_is_as_good_as_none_around_it(name: str, used: Used) -> None:
    whole = WRITERS[name](as_told(name, used))
    alone = provider_usage.read(whole, name)
    assert provider_usage.read([whole], name) == alone
    assert provider_usage.read([copy.deepcopy(whole), whole, None, whole], name) == alone


@given(name=FORMAT.filter(lambda one: one not in BESIDE), used=USED, more=st.integers(1, 1000))
@MODEST
def test_an_estimate_may_be_corrected_downwards(name: str, used: Used, more: int) -> None:
    """Neither a sum nor a maximum: the later count stands."""
    used = as_told(name, {one: value + 1 for one, value in used.items()})
    high = WRITERS[name](used | {"uncached": used["uncached"] + more})
    assert provider_usage.read([high, WRITERS[name](used)], name) == provider_usage.read(
        WRITERS[name](used), name
    )


@given(used=USED, data=st.data())
@MODEST
def test_a_later_chunk_with_caches_replaces_the_first_estimate(
    used: Used, data: st.DataObject
) -> None:
    """Kimi, Qwen and Z.ai begin with all input as if none were cached, and correct it later."""
    for name, read, written, fresh, out in (
        (
            "anthropic",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "input_tokens",
            "output_tokens",
        ),
        (
            "bedrock_converse",
            "cacheReadInputTokens",
            "cacheWriteInputTokens",
            "inputTokens",
            "outputTokens",
        ),
    ):
        used = as_told("cohere", used)  # No details, which a correction need not repeat.
        whole = expected(used)
        estimate = {fresh: whole.input_tokens, read: 0, written: 0, out: 0}
        corrected = {
            fresh: used["uncached"],
            read: used["cache_read"],
            written: used["cache_write"],
            out: whole.output_tokens,
        }
        again = data.draw(st.sampled_from([None, {}, estimate, zeros(estimate)]))
        totals = provider_usage.read([estimate, None, corrected, again], name)
        assert totals.input_tokens == whole.input_tokens
        assert totals.output_tokens == whole.output_tokens
        assert totals.cache_read_input_tokens == used["cache_read"]
        assert totals.cache_write_input_tokens == used["cache_write"]


@given(
    name=st.sampled_from(["openai_chat", "openai_responses", "mistral", "litellm"]),
    used=USED,
    output=st.integers(0, 10**6),
)
@MODEST
def test_details_that_came_only_earlier_stay(name: str, used: Used, output: int) -> None:
    """The last chunk has the totals alone; what was cached is not forgotten."""
    used = as_told(name, used)
    first = WRITERS[name](used | {"output": 0})
    whole = WRITERS[name](used | {"output": used["output"] + output})
    last = {key: value for key, value in whole.items() if not key.endswith("_details")}
    if name == "mistral":
        last |= {"prompt_audio_seconds": 1}
    totals = provider_usage.read([first, last], name)
    alone = provider_usage.read(whole, name)
    assert totals == alone


@given(name=FORMAT, used=USED, told=st.lists(st.integers(0, 100), max_size=30), data=st.data())
@MODEST
def test_what_the_client_lets_go_changes_nothing(
    name: str, used: Used, told: list[int], data: st.DataObject
) -> None:
    """The client keeps few of a stream's usages; they are metered as all of them would be."""
    write, used = WRITERS[name], as_told(name, used)
    chunks: list[Any] = [
        write(used | {"output": used["output"] * percent // 100}) for percent in sorted(told)
    ]
    chunks += [write(used), *(one for one in data.draw(silences(write(used))) if one is not None)]
    reader = AnswerReader("openai_chat", streamed=True)
    for chunk in chunks:
        reader._keep(chunk)
    assert len(reader.usages) <= 8
    assert provider_usage.read(reader.usages, name) == provider_usage.read(chunks, name)
