"""Answers of the openai, anthropic and google-genai packages, their usage recorded as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from anthropic.types import Message, RawMessageDeltaEvent, RawMessageStartEvent
from google.genai.types import GenerateContentResponse
from known_calls import KEYS, URL, Expected
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response
from wattoken.client import Meter

REGION = "provider-objects"
expected = Expected()
meter = Meter(URL, KEYS[REGION], source="objects", batch_age_seconds=0.1)

chat = ChatCompletion.model_validate(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5",
        "choices": [],
        "usage": {
            "prompt_tokens": 900,
            "completion_tokens": 210,
            "total_tokens": 1110,
            "prompt_tokens_details": {"cached_tokens": 512, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 128},
        },
    }
)
counts = {"input_tokens": 900, "cache_read_input_tokens": 512, "output_tokens": 210}
counts |= {"reasoning_output_tokens": 128}
meter.record(provider="openai", model=chat.model, usage=chat.usage, usage_format="openai_chat")
expected.add(REGION, "openai", "gpt-5", **counts)

# A stream: chunks without usage, and the last one with it.
chunks = [
    ChatCompletionChunk.model_validate(
        {
            "id": "chatcmpl-2",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-5",
            "choices": [],
            "usage": usage,
        }
    )
    for usage in (None, None, chat.usage.model_dump() if chat.usage else None)
]
usages = [chunk.usage for chunk in chunks]
meter.record(provider="openai", model="gpt-5", usage=usages, usage_format="openai_chat")
expected.add(REGION, "openai", "gpt-5", **counts)

response = Response.model_validate(
    {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5-mini",
        "output": [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 300,
            "input_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 50},
            "output_tokens": 64,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 364,
        },
    }
)
meter.record(
    provider="openai",
    model="gpt-5-mini",
    usage=response.usage,
    usage_format="openai_responses",
)
expected.add(
    *(REGION, "openai", "gpt-5-mini"),
    input_tokens=300,
    cache_read_input_tokens=200,
    cache_write_input_tokens=50,
    output_tokens=64,
)

message: dict[str, Any] = {
    "id": "msg-1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "claude-opus-5",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 4000,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 77,
    },
}
answer = Message.model_validate(message)
# Anthropic's input_tokens exclude both caches: the total is the sum of the three.
whole = {"input_tokens": 4320, "cache_read_input_tokens": 4000, "cache_write_input_tokens": 300}
meter.record(provider="anthropic", model=answer.model, usage=answer.usage, usage_format="anthropic")
expected.add(REGION, "anthropic", "claude-opus-5", **whole, output_tokens=77)

# Its stream: the start has the input and a first count, the deltas are cumulative.
start = RawMessageStartEvent.model_validate({"type": "message_start", "message": message})
deltas = [
    RawMessageDeltaEvent.model_validate(
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": output_tokens}}
    )
    for output_tokens in (40, 150)
]
told = [start.message.usage, *(delta.usage for delta in deltas)]
meter.record(provider="anthropic", model="claude-opus-5", usage=told, usage_format="anthropic")
expected.add(REGION, "anthropic", "claude-opus-5", **whole, output_tokens=150)

generated = GenerateContentResponse.model_validate(
    {
        "model_version": "gemini-3.1-pro",
        "usage_metadata": {
            "prompt_token_count": 1000,
            "cached_content_token_count": 600,
            "candidates_token_count": 50,
            "thoughts_token_count": 25,
            "total_token_count": 1075,
        },
    }
)
meter.record(
    provider="google",
    model="gemini-3.1-pro",
    usage=generated.usage_metadata,
    usage_format="gemini",
)
expected.add(
    *(REGION, "gcp.gemini", "gemini-3.1-pro"),
    input_tokens=1000,
    cache_read_input_tokens=600,
    output_tokens=75,
    reasoning_output_tokens=25,
)
assert meter.flush()
assert meter.counts.delivered == meter.counts.recorded == 6, meter.close()

# The same without our client: an event is only JSON.
event: dict[str, Any] = {"id": "raw-1", "source": "objects", "time": datetime.now(UTC).isoformat()}
event |= {"provider": "openai", "model": "gpt-5", "usage_format": "openai_chat"}
assert chat.usage is not None
event |= {"usage": chat.usage.model_dump(mode="json")}
posted = httpx.post(
    f"{URL}/v1/events", json=event, headers={"Authorization": f"Bearer {KEYS[REGION]}"}
)
assert posted.status_code == 202, posted.text
expected.add(REGION, "openai", "gpt-5", **counts)
expected.report()
