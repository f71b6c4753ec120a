"""The Python of docs/gateways.md as it stands there: SDKs' answers, OpenMeter's SDK, CloudEvents.

What a block takes from around it is given to it: a key, and answers of real SDKs. LiteLLM's
callback, which is a file of its own, is run by litellm_calls.py and litellm_proxy.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import httpx
from anthropic.types import Usage as AnthropicUsage
from google.genai.types import GenerateContentResponseUsageMetadata
from known_calls import KEYS, URL, Expected
from openai.types.completion_usage import CompletionUsage
from openai.types.responses.response_usage import ResponseUsage

REGION = "page-blocks"
PAGE = Path(__file__).parents[2] / "docs/gateways.md"
ADDRESS = "http://127.0.0.1:8080"
TOKENS = {"input_tokens": 1200, "output_tokens": 340}


class Answer:
    """What a provider's SDK answers, as far as the page reads it."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def answers() -> dict[str, Answer]:
    """One of each provider on the page, with the usage as its own SDK has it."""
    completion = CompletionUsage(prompt_tokens=1200, completion_tokens=340, total_tokens=1540)
    details: dict[str, Any] = {
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    response = ResponseUsage.model_validate({**TOKENS, "total_tokens": 1540, **details})
    gemini = GenerateContentResponseUsageMetadata(
        prompt_token_count=1200, candidates_token_count=340, total_token_count=1540
    )
    return {
        "chat": Answer(id="page-1", model="gpt-5", usage=completion),
        "response": Answer(id="page-2", model="gpt-5-mini", usage=response),
        "message": Answer(id="page-3", model="claude-opus-5.5", usage=AnthropicUsage(**TOKENS)),
        "answer": Answer(response_id="page-4", model_version="gemini-3-pro", usage_metadata=gemini),
    }


def main() -> None:
    """Run each block but the callback's; expect what it sends."""
    os.environ["KEY"] = KEYS[REGION]
    given = {"os": os, "httpx": httpx, "KEY": KEYS[REGION], **answers()}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    mine = [block for block in blocks if "GenericAPILogger" not in block]
    assert len(mine) == len(blocks) - 1 == 3
    for block in mine:
        assert block.count(ADDRESS) == 1
        exec(compile(block.replace(ADDRESS, URL), str(PAGE), "exec"), dict(given))
    expected = Expected()
    for provider, model in (
        ("openai", "gpt-5"), ("openai", "gpt-5-mini"), ("anthropic", "claude-opus-5.5"),
        ("gcp.gemini", "gemini-3-pro"), ("openai", "gpt-5"), ("openai", "gpt-5"),
    ):  # fmt: skip
        # The last two: one event of OpenMeter's SDK, one of CloudEvents'.
        expected.add(REGION, provider, model, **TOKENS)
    expected.report()


main()
