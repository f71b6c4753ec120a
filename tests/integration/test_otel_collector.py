"""The OpenTelemetry Collector, as docs/gateways.md configures it, before a real ingest and Kafka.

Spans go in by OTLP/HTTP; what counts is what a plain consumer reads from the topic at the end:
nothing lost and nothing doubled, whatever happened to ingest and to the Collector meanwhile. Ingest
is away for seconds here; `make collector-outage` makes it the six minutes of the page.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.ingest.adapters.attributes import MARKS
from services.local_stack.errors import ComponentMissing
from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child
from tests.integration.conftest import PipelineFactory
from tests.integration.faults import select, wait_until_metered
from tests.integration.test_ingest import read_log
from tests.otel_collector.build import BUILDER, MANIFEST, MODULES, SUMS, fetch_collector
from tests.otel_collector.process import PAGE, Ports, collector_plan, page_configuration
from tests.waiting import eventually

AWAY_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "8"))
#: The longest wait between two attempts, by the page, and what a busy machine adds.
DELIVERED_WITHIN_SECONDS = 60
_numbers = itertools.count(1)

#: A call under each convention, which a filter on names must not drop, and what it used.
CALLS: dict[str, tuple[dict[str, int | str], tuple[int, int]]] = {
    "present": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.usage.input_tokens": 400,
            "gen_ai.usage.cache_read.input_tokens": 256,
            "gen_ai.usage.output_tokens": 80,
        },
        (400, 80),
    ),
    "older": (
        {
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-haiku-4-5",
            "gen_ai.usage.prompt_tokens": 55,
            "gen_ai.usage.completion_tokens": 5,
        },
        (55, 5),
    ),
    "traceloop": (
        {
            "llm.request.type": "chat",
            "llm.request.model": "gpt-4o",
            "llm.vendor": "OpenAI",
            "llm.usage.prompt_tokens": 21,
            "llm.usage.completion_tokens": 2,
        },
        (21, 2),
    ),
    "openinference": (
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 31,
            "llm.token_count.completion": 3,
        },
        (31, 3),
    ),
    "ai sdk": (
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-4o",
            "ai.model.provider": "openai.chat",
            "ai.usage.promptTokens": 41,
            "ai.usage.completionTokens": 4,
        },
        (41, 4),
    ),
    "langfuse": (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.usage_details": '{"input": 51, "output": 6}',
        },
        (51, 6),
    ),
    "failed": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-5",
            "error.type": "500",
        },
        (0, 0),
    ),
}
PRESENT = "present"
#: No call: its value has what only names of attributes are looked for.
NO_CALL = "no call"
_PLAIN = {"http.request.method": "POST", "url.query": '"gen_ai.usage.input_tokens"'}


@pytest.fixture(scope="module")
def program() -> Path:
    try:
        return fetch_collector(print)
    except ComponentMissing as error:
        # In CI too: Go is no part of what Wattoken needs.
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pipeline(program: Path, pipelines: PipelineFactory) -> Pipeline:
    return pipelines(services=["ingest", "aggregator"], accounts=[("acme", "collector")])


@dataclass(slots=True)
class Application:
    """Exports through the Collector, and knows what is to be metered of it."""

    pipeline: Pipeline
    collector: Child
    port: int
    #: What each call used, by its id; only of what was acknowledged.
    calls: dict[str, tuple[int, int]] = field(default_factory=dict)

    def send(self, *names: str, signal: str = "traces") -> None:
        """Export calls of `CALLS` in one request, which must be acknowledged."""
        calls = {name: self._element(name, signal) for name in names}
        service = {"key": "service.name", "value": {"stringValue": "my-app"}}
        group: dict[str, Any] = {"resource": {"attributes": [service]}}
        if signal == "traces":
            body = {"resourceSpans": [group | {"scopeSpans": [{"spans": [*calls.values()]}]}]}
        else:
            body = {"resourceLogs": [group | {"scopeLogs": [{"logRecords": [*calls.values()]}]}]}
        url = f"http://{LOOPBACK}:{self.port}/v1/{signal}"
        answer = httpx.post(url, json=body, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        assert "rejected" not in answer.text, answer.text
        for name, element in calls.items():
            if name != NO_CALL:
                self.calls[f"{element['traceId']}-{element['spanId']}"] = CALLS[name][1]

    def _element(self, name: str, signal: str) -> dict[str, Any]:
        number, now_ns = next(_numbers), str(time.time_ns())
        times = {"startTimeUnixNano": now_ns, "endTimeUnixNano": now_ns}
        attributes = CALLS[name][0] if name != NO_CALL else _PLAIN
        return {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            **({"name": "call", **times} if signal == "traces" else {"timeUnixNano": now_ns}),
            "attributes": [
                {
                    "key": key,
                    "value": {"intValue": str(value)}
                    if isinstance(value, int)
                    else {"stringValue": value},
                }
                for key, value in attributes.items()
            ],
        }

    def on_the_log(self) -> dict[str, tuple[int, int]]:
        """What the topic has, by id; a resend under one id must say the same."""
        found: dict[str, tuple[int, int]] = {}
        for record in read_log(self.pipeline):
            used = record.event.input_tokens, record.event.output_tokens
            assert found.setdefault(record.event.id, used) == used
        return found

    def assert_metered(self) -> None:
        """Hold that the log has each call and nothing else, and that each is counted once."""
        eventually(
            f"all {len(self.calls)} calls on the log",
            lambda: self.on_the_log().keys() >= self.calls.keys(),
            DELIVERED_WITHIN_SECONDS,
        )
        assert self.on_the_log() == self.calls
        used = self.calls.values()
        counted = (len(used), sum(tokens for tokens, _ in used), sum(tokens for _, tokens in used))
        sums = "sum(requests), sum(input_tokens), sum(output_tokens)"
        query = f"SELECT {sums} FROM registers WHERE region = 'collector'"
        eventually("metered", lambda: select(self.pipeline, query)[0][0] >= counted[0])
        wait_until_metered(self.pipeline)
        assert select(self.pipeline, query) == [counted]


@pytest.fixture(scope="module")
def application(
    program: Path, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    ports = Ports(pick_port(), pick_port(), pick_port())
    ingest, key = pipeline.addresses["ingest"], pipeline.credentials[0].key
    plan = collector_plan(program, tmp_path_factory.mktemp("collector"), ingest, key, ports)
    yield Application(pipeline, pipeline.supervisor.start(plan), ports.http)
    give_back(ports.http, ports.grpc, ports.metrics)


def test_calls_under_every_convention_are_metered_and_nothing_else(
    application: Application,
) -> None:
    application.send(*CALLS, NO_CALL)
    application.send(NO_CALL)
    application.send("present", "older", NO_CALL, signal="logs")
    application.assert_metered()
    # What is no call was filtered out, so ingest did not even pass over it.
    metrics = httpx.get(f"{application.pipeline.addresses['ingest']}/metrics", trust_env=False)
    assert "\nwattoken_ingest_events_skipped_total 0.0\n" in metrics.text


@pytest.mark.timeout(AWAY_SECONDS + 300)
def test_ingest_is_away_and_the_collector_is_killed_meanwhile(application: Application) -> None:
    application.send(PRESENT)
    application.pipeline.ingest.kill()
    began = time.monotonic()
    killed = False
    while (away := time.monotonic() - began) < AWAY_SECONDS:
        application.send(PRESENT, NO_CALL)
        if away > AWAY_SECONDS / 2 and not killed:
            application.collector.kill()
            application.collector.restart()
            killed = True
        time.sleep(AWAY_SECONDS / 16)
    assert killed
    application.pipeline.ingest.restart()
    back = time.monotonic()
    application.send(PRESENT)
    application.assert_metered()
    print(
        f"away for {away:.0f} s, {len(application.calls)} calls, all metered"
        f" {time.monotonic() - back:.0f} s after it was back"
    )


def test_ingest_hangs_for_longer_than_the_collector_waits_for_an_answer(
    application: Application,
) -> None:
    def timeouts() -> int:
        log = application.collector.plan.log_path.read_text(encoding="utf-8")
        return log.count("deadline exceeded")

    before = timeouts()
    application.pipeline.ingest.kill(signal.SIGSTOP)
    try:
        application.send(PRESENT)
        application.send(*CALLS)
        # Its attempt must have timed out and be repeated, while ingest still holds the first.
        eventually("a timeout", lambda: timeouts() > before)
    finally:
        application.pipeline.ingest.kill(signal.SIGCONT)
    application.assert_metered()


def test_the_page_filters_by_what_ingest_looks_for() -> None:
    """Each mark of a call in ingest's eyes passes the page's filter, in both signals."""
    page = page_configuration(PAGE.read_text(encoding="utf-8"))
    filters = yaml.safe_load(page)["processors"]["filter/genai"]
    (trace,), (log,) = filters["trace_conditions"], filters["log_conditions"]
    assert trace.replace("span.attributes", "log.attributes") == log
    found = re.fullmatch(r'not IsMatch\(Keys\(log\.attributes\), "(.*)"\)', log)
    assert found is not None
    pattern = re.compile(found[1].encode().decode("unicode_escape"))
    for mark in MARKS:
        assert pattern.search(json.dumps([f"a.{mark.decode()}", mark.decode()])), mark
    assert not pattern.search(json.dumps(list(_PLAIN)))


def test_the_lock_has_what_the_manifest_names() -> None:
    """`make locks` writes it; a component of another version would be built, and not be tested."""
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    wanted = {
        component["gomod"]
        for kind in ("extensions", "receivers", "processors", "exporters", "providers")
        for component in manifest[kind]
    }
    modules = MODULES.read_text(encoding="utf-8")
    locked = {line.strip() for line in modules.splitlines()}
    assert {component for component in wanted if component not in locked} == set()
    assert f"tool {BUILDER}" in modules
    assert f"{BUILDER} v{manifest['dist']['version']}" in SUMS.read_text(encoding="utf-8")


def test_without_go_it_is_missing_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ComponentMissing, match="OpenTelemetry Collector .*go is not installed"):
        fetch_collector(print)
