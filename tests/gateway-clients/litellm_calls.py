"""LiteLLM: its `openmeter` callback, its generic one, and ours; sync, async and streaming."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

# Set before the import, which reads them; without the first it asks the internet for prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["DEFAULT_FLUSH_INTERVAL_SECONDS"] = "1"
os.environ["DISABLE_ADMIN_UI"] = "True"

from known_calls import KEYS, URL, Expected  # noqa: I001
from proxy_process import page_callback

import litellm
from litellm import ModelResponse, Usage
from litellm.exceptions import InternalServerError

from wattoken.client import Meter
from wattoken.client.litellm import WattokenLogger

MESSAGES = [{"role": "user", "content": "How many tokens is this?"}]
CACHED = {"input_tokens": 1000, "output_tokens": 300, "cache_read_input_tokens": 640}
CACHED |= {"cache_write_input_tokens": 128, "reasoning_output_tokens": 100}
expected = Expected()


def chat(**options: Any) -> dict[str, Any]:
    """Arguments of a call that never leaves the process."""
    usual = {"model": "openai/gpt-4o", "messages": MESSAGES, "api_key": "none", "user": "user-1"}
    return {**usual, "mock_response": "Seven, and as many again.", **options}


def cached_answer() -> ModelResponse:
    """An answer whose usage tells of caches and reasoning, as Anthropic's does through LiteLLM."""
    usage = Usage(
        prompt_tokens=1000,
        completion_tokens=300,
        total_tokens=1300,
        completion_tokens_details={"reasoning_tokens": 100},
        cache_read_input_tokens=640,
        cache_creation_input_tokens=128,
    )
    message = {"role": "assistant", "content": "Seven."}
    return ModelResponse(usage=usage, choices=[{"message": message}])


def expect_plain(region: str, usage: Any) -> None:
    """Expect what the answer itself says."""
    counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    assert counts["input_tokens"] > 0 and counts["output_tokens"] > 0
    expected.add(region, "openai", "gpt-4o", **counts)


async def three_calls(region: str, *, sync: bool) -> None:
    """Sync, async and streaming; the sum of a stream is in its last chunk."""
    if sync:
        expect_plain(region, litellm.completion(**chat()).usage)
    expect_plain(region, (await litellm.acompletion(**chat())).usage)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    last = None
    async for chunk in await litellm.acompletion(**chat(**options)):
        last = chunk
    assert last is not None
    expect_plain(region, last.usage)


def use(*callbacks: Any) -> None:
    """Let only these callbacks see the next calls."""
    litellm.logging_callback_manager._reset_all_callbacks()
    litellm.callbacks = list(callbacks)


async def openmeter() -> None:
    """Set an address and a key, as its documentation says, and nothing else."""
    os.environ["OPENMETER_API_ENDPOINT"] = URL
    os.environ["OPENMETER_API_KEY"] = KEYS["litellm-openmeter"]
    use("openmeter")
    await three_calls("litellm-openmeter", sync=True)
    await settle()


async def generic() -> None:
    """Let the generic callback batch what it logs; it exists for async calls only."""
    os.environ["KEY"] = KEYS["litellm-generic"]
    # By a class: the name `generic_api` does nothing, silently, where the package
    # litellm-enterprise (which the proxy brings) is not installed. LiteLLM's own class loses what
    # is logged while it sends.
    page: dict[str, Any] = {}
    exec(page_callback(URL), page)
    use(page["handler"])
    await three_calls("litellm-generic", sync=False)
    model = "anthropic/claude-haiku-4-5"
    await litellm.acompletion(**chat(model=model, mock_response=cached_answer()))
    expected.add("litellm-generic", "anthropic", "claude-haiku-4-5", **CACHED)
    await settle()


async def ours() -> None:
    """Our callback tells caches, reasoning, the deployment's region, and failures too."""
    meter = Meter(URL, KEYS["litellm-wattoken"], batch_age_seconds=0.1)
    use(WattokenLogger(meter))
    await three_calls("litellm-wattoken", sync=True)
    model = "anthropic/claude-haiku-4-5"
    litellm.completion(**chat(model=model, mock_response=cached_answer()))
    expected.add("litellm-wattoken", "anthropic", "claude-haiku-4-5", **CACHED)
    model = "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0"
    answer = await litellm.acompletion(**chat(model=model, aws_region_name="litellm-eu-west-1"))
    expected.add(
        "litellm-eu-west-1",
        "aws.bedrock",
        model.removeprefix("bedrock/"),
        input_tokens=answer.usage.prompt_tokens,
        output_tokens=answer.usage.completion_tokens,
    )
    try:
        await litellm.acompletion(**chat(mock_response=Exception("upstream is down")))
    except InternalServerError:
        expected.add("litellm-wattoken", "openai", "gpt-4o", failed_requests=1)
    await settle()
    counts = meter.close()
    assert counts.delivered == 6, counts


async def all_at_once() -> None:
    """A call that two callbacks report under one id counts once."""
    os.environ["OPENMETER_API_KEY"] = KEYS["litellm-twice"]
    with Meter(URL, KEYS["litellm-twice"], batch_age_seconds=0.1) as meter:
        use("openmeter", WattokenLogger(meter))
        expect_plain("litellm-twice", (await litellm.acompletion(**chat())).usage)
        await settle()
        assert meter.flush() and meter.counts.delivered == 1


async def settle() -> None:
    """Callbacks run in the background; the generic one is flushed each second."""
    await asyncio.sleep(1.5)


async def main() -> None:
    """Make all calls in one loop, as a gateway does."""
    for part in (openmeter, generic, ours, all_at_once):
        await part()
    use()


asyncio.run(main())
time.sleep(0.2)
expected.report()
