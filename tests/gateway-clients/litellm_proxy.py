"""LiteLLM's proxy, a process of its own with all its callbacks at once, before fake providers.

Each callback has an API key, and so a region, of its own: what each reports is told apart, and held
to the token against what the providers answered. The generic callback is the one of the page.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from fake_providers import CHAT, EMBEDDINGS, MESSAGES, RESPONSES, serve
from known_calls import URL, Expected
from proxy_process import (
    GENERIC,
    MASTER_KEY,
    OPENMETER,
    OTEL,
    OURS,
    Door,
    start,
    wait_ready,
)

#: LiteLLM's callbacks run in the background, and are flushed each second.
REPORTED_WITHIN_SECONDS = 60.0

#: What ingest must make of each answer. The callbacks that know totals only say nothing of parts.
TOTALS: dict[str, dict[str, int]] = {
    "chat": {"input_tokens": CHAT["prompt_tokens"], "output_tokens": CHAT["completion_tokens"]},
    "responses": {
        "input_tokens": RESPONSES["input_tokens"],
        "output_tokens": RESPONSES["output_tokens"],
    },
    "embeddings": {"input_tokens": EMBEDDINGS["prompt_tokens"], "output_tokens": 0},
    "messages": {
        "input_tokens": sum(MESSAGES.values()) - MESSAGES["output_tokens"],
        "output_tokens": MESSAGES["output_tokens"],
    },
}
PARTS: dict[str, dict[str, int]] = {
    "chat": {"cache_read_input_tokens": 640, "reasoning_output_tokens": 64},
    "responses": {"cache_read_input_tokens": 256, "reasoning_output_tokens": 32},
    "embeddings": {},
    "messages": {"cache_read_input_tokens": 1800, "cache_write_input_tokens": 248},
}
PROVIDERS = {
    "gpt-4o": "openai",
    "text-embedding-3-small": "openai",
    "claude-haiku-4-5": "anthropic",
}
STREAMED = {"stream": True}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHAT_PATH = "/v1/chat/completions"
CALLS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (CHAT_PATH, "gpt-4o", "chat", {}),
    (CHAT_PATH, "gpt-4o", "chat", WITH_USAGE),
    (CHAT_PATH, "claude-haiku-4-5", "messages", {}),
    (CHAT_PATH, "claude-haiku-4-5", "messages", STREAMED),
    ("/v1/messages", "claude-haiku-4-5", "messages", {}),
    ("/v1/messages", "claude-haiku-4-5", "messages", STREAMED),
    ("/v1/responses", "gpt-4o", "responses", {}),
    ("/v1/responses", "gpt-4o", "responses", STREAMED),
    ("/v1/embeddings", "text-embedding-3-small", "embeddings", {}),
)
expected = Expected()
reports = 0


def expect(kind: str, model: str, *regions: str) -> None:
    """Expect an answer in the regions of the callbacks that report it."""
    global reports
    for region in regions:
        # Two callbacks tell totals only.
        parts = PARTS[kind] if region in (GENERIC, OURS) else {}
        expected.add(region, PROVIDERS[model], model, **TOTALS[kind], **parts)
        reports += 1


def expect_failure(model: str) -> None:
    """Expect a failed attempt; the `openmeter` callback reports none."""
    global reports
    for region in (GENERIC, OURS, OTEL):
        expected.add(region, PROVIDERS[model], model, failed_requests=1)
        reports += 1


def ask(proxy: httpx.Client, path: str, model: str, **options: Any) -> int:
    """Make one call, and read its answer to the end; return the status."""
    body: dict[str, Any] = {"model": model, "user": "user-1", **options}
    if path in ("/v1/responses", "/v1/embeddings"):
        body["input"] = "How many tokens is this?"
    else:
        body["messages"] = [{"role": "user", "content": "How many tokens is this?"}]
        body["max_tokens"] = 100
    with proxy.stream("POST", path, json=body) as answer:
        answer.read()
    return answer.status_code


def accepted() -> float:
    """How many events ingest has taken, of whomever."""
    text = httpx.get(f"{URL}/metrics", trust_env=False).text
    name = "wattoken_ingest_events_accepted_total"
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith((f"{name} ", f"{name}{{"))
    )


def wait_for_reports(before: float) -> None:
    """Wait until ingest has what is expected; what is missing then, the register shows."""
    deadline = time.monotonic() + REPORTED_WITHIN_SECONDS
    while accepted() - before < reports and time.monotonic() < deadline:
        time.sleep(0.2)


def make_calls(proxy: httpx.Client) -> None:
    """Make every call that the proxy knows, with failures and retries."""
    for path, model, kind, options in CALLS:
        assert ask(proxy, path, model, **options) == 200, (path, model)
        expect(kind, model, GENERIC, OURS, OTEL)
        # LiteLLM's own callback says nothing of what a call of the Responses API used.
        if kind != "responses":
            expect(kind, model, OPENMETER)
    assert ask(proxy, CHAT_PATH, "gpt-4o", user="fails-first") == 200
    expect("chat", "gpt-4o", GENERIC, OURS, OTEL, OPENMETER)
    expect_failure("gpt-4o")
    # Both attempts fail; LiteLLM reports a call's failure once.
    assert ask(proxy, CHAT_PATH, "gpt-4o", user="always-fails") == 500
    expect_failure("gpt-4o")


def make_calls_while_ingest_is_away(proxy: httpx.Client) -> None:
    """Let the generic callback fail, log more meanwhile, and let it in again."""
    Door.shut = True
    for _ in range(3):
        knocks = Door.knocks
        assert ask(proxy, CHAT_PATH, "gpt-4o") == 200
        expect("chat", "gpt-4o", GENERIC, OURS, OTEL, OPENMETER)
        deadline = time.monotonic() + REPORTED_WITHIN_SECONDS
        while Door.knocks == knocks and time.monotonic() < deadline:
            time.sleep(0.1)
    assert Door.knocks >= 3
    Door.shut = False


def main() -> None:
    """Make every call, and say what each callback must have reported."""
    before = accepted()
    with tempfile.TemporaryDirectory() as name:
        process, address = start(Path(name), serve())
        master = {"Authorization": f"Bearer {MASTER_KEY}"}
        try:
            with httpx.Client(
                base_url=address, headers=master, timeout=60, trust_env=False
            ) as proxy:
                wait_ready(process, proxy)
                make_calls(proxy)
                make_calls_while_ingest_is_away(proxy)
            wait_for_reports(before)
        except BaseException:
            print((Path(name) / "proxy.log").read_text()[-5000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(30)
    expected.report()


main()
