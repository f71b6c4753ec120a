"""What is read of an answer as it passes by, however its bytes are cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from wattoken.client.stream_usage import AnswerReader, UsageFormat, estimated_input_tokens


def read(usage_format: UsageFormat, *chunks: dict[str, Any], cuts: int = 7) -> AnswerReader:
    body = b"".join(b"event: x\ndata: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    body += b"data: [DONE]\n\n"
    reader = AnswerReader(usage_format, streamed=True)
    for start in range(0, len(body), cuts):
        reader.feed(body[start : start + cuts])
    reader.end()
    return reader


@given(cuts=st.integers(1, 400))
def test_openai_chat_has_its_usage_in_the_last_chunk(cuts: int) -> None:
    text = {"model": "gpt-5", "choices": [{"delta": {"content": "grüß"}}], "usage": None}
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    reader = read("openai_chat", text, {"model": "gpt-5", "choices": [], "usage": usage}, cuts=cuts)
    assert (reader.model, reader.usages, reader.complete) == ("gpt-5", [usage], True)
    assert reader.characters == 4


def test_openai_responses_wrap_it() -> None:
    usage = {"input_tokens": 3, "output_tokens": 1}
    reader = read(
        "openai_responses",
        {"type": "response.created", "response": {"model": "gpt-5", "usage": None}},
        {"type": "response.output_text.delta", "delta": "12345"},
        {"type": "response.completed", "response": {"model": "gpt-5", "usage": usage}},
    )
    assert (reader.usages, reader.complete, reader.estimated_output_tokens) == ([usage], True, 2)


def test_anthropic_is_complete_with_its_delta_only() -> None:
    start = {"type": "message_start", "message": {"model": "c", "usage": {"input_tokens": 9}}}
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "1234"}}
    delta = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5}}
    broken_off = read("anthropic", start, text)
    assert not broken_off.complete and broken_off.estimated_output_tokens == 1
    whole = read("anthropic", start, text, delta)
    assert whole.complete and whole.usages == [{"input_tokens": 9}, {"output_tokens": 5}]


def test_a_whole_answer() -> None:
    reader = AnswerReader("openai_chat", streamed=False)
    reader.feed(b'{"model": "gpt-5", "usa')
    reader.feed(b'ge": {"prompt_tokens": 1}}')
    reader.end()
    assert (reader.model, reader.usages) == ("gpt-5", [{"prompt_tokens": 1}])


@given(data=st.lists(st.binary(max_size=50)), streamed=st.booleans())
def test_what_is_not_understood_passes(data: list[bytes], streamed: bool) -> None:
    reader = AnswerReader("anthropic", streamed)
    for part in data:
        reader.feed(part)
        reader.feed(b'data: {"delta": {"text": 1}, "choices": [[]], "message": 3}\n')
    reader.end()
    assert reader.usages == []


def test_it_holds_no_more_than_it_may() -> None:
    reader = AnswerReader("openai_chat", streamed=True)
    for _ in range(10):
        reader.feed(b"x" * 1_000_000)
    assert len(reader._left) <= 4 * 1024 * 1024


def test_the_input_is_estimated_from_its_texts() -> None:
    parts = [{"type": "text", "text": "12345678"}, {"type": "image_url", "image_url": {}}]
    request = {"messages": [{"role": "user", "content": parts}], "system": "1234", "model": "m"}
    assert estimated_input_tokens(json.dumps(request).encode()) == 3
    assert estimated_input_tokens(b"[") == estimated_input_tokens(b"[1]") == 0


def test_usage_in_every_chunk_does_not_pile_up() -> None:
    """Some servers tell usage in every chunk; thousands of them would be too large an event."""
    chunks = [
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": n, "details": {"x": 1}}}
        for n in range(5000)
    ]
    zero: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}
    reader = read("openai_chat", *chunks, zero, cuts=4096)
    assert reader.usages == [chunks[-1]["usage"]]


def test_a_zero_that_nothing_else_told_is_kept() -> None:
    zero = {"prompt_tokens": 0, "completion_tokens": 0}
    assert read("openai_chat", {"usage": zero}, {"usage": {}}).usages == [zero]
    assert read("openai_chat", {"usage": {}}, {"usage": zero}).usages == [zero]


def test_what_only_an_earlier_chunk_told_is_kept() -> None:
    start = {"input_tokens": 9, "cache_read_input_tokens": 4}
    delta = {"input_tokens": 9, "output_tokens": 5}
    assert read("anthropic", {"usage": start}, {"usage": delta}).usages == [start, delta]


def test_usage_in_a_choice_or_in_groqs_object() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "cached_tokens": 2}
    inside: dict[str, Any] = {"model": "kimi-k3", "choices": [{"delta": {}, "usage": usage}]}
    assert read("openai_chat", inside).usages == [usage]
    assert read("openai_chat", inside | {"usage": usage}).usages == [usage]
    assert read("openai_chat", {"choices": [], "x_groq": {"usage": usage}}).usages == [usage]


def test_the_tier_that_served_is_the_last_one_told() -> None:
    asked: dict[str, Any] = {"type": "response.created", "response": {"service_tier": "auto"}}
    served = {"service_tier": "flex", "usage": {"input_tokens": 3, "output_tokens": 1}}
    done: dict[str, Any] = {"type": "response.completed", "response": served}
    assert read("openai_responses", asked).beside == {"service_tier": "auto"}
    assert read("openai_responses", asked, done).beside == {"service_tier": "flex"}
    chunk: dict[str, Any] = {"choices": [], "service_tier": "priority"}
    assert read("openai_chat", chunk, {"choices": []}).beside == {"service_tier": "priority"}


def test_searches_count_once_whether_the_stream_ends_or_breaks_off() -> None:
    searched = {"type": "web_search_call", "action": {"type": "search"}, "status": "completed"}
    opened = {"type": "web_search_call", "action": {"type": "open_page"}, "status": "completed"}
    items = [searched, opened, {"type": "message"}, searched]
    steps = [{"type": "response.output_item.done", "item": item} for item in items]
    end: dict[str, Any] = {"type": "response.completed", "response": {"output": items}}
    assert read("openai_responses", *steps[:3]).beside == {"web_searches": 1}
    assert read("openai_responses", *steps, end).beside == {"web_searches": 2}
    billed: dict[str, Any] = {"tool_usage": {"web_search": {"num_requests": 1}}, "output": items}
    assert read("openai_responses", *steps, {"response": billed}).beside == {"web_searches": 1}


def test_a_whole_answer_tells_its_tier() -> None:
    reader = AnswerReader("openai_chat", streamed=False)
    reader.feed(b'{"service_tier": "default", "usage": {"prompt_tokens": 1}}')
    reader.end()
    assert reader.beside == {"service_tier": "default"}


def test_a_tier_inside_usage_is_left_to_ingest() -> None:
    usage = {"input_tokens": 3, "output_tokens": 1, "service_tier": "batch"}
    assert read("anthropic", {"usage": usage}).beside == {}
