"""Each client from its own package makes known calls, and the register shows exactly their tokens.

The clients run in an environment of their own (tests/gateway-clients), one script each, against
one whole pipeline: ingest, Kafka, aggregator, ClickHouse. Every script has API keys of its own,
and a key's region sets its rows apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.pipeline import Pipeline
from tests.integration.conftest import PipelineFactory, missing
from tests.integration.faults import database
from tests.kcat import fetch_kcat, kcat_command

CLIENTS = Path(__file__).parents[1] / "gateway-clients"
INTERPRETER = CLIENTS / ".venv" / "bin" / "python"
#: The scripts, and the regions of the API keys that each gets.
SCRIPTS = {
    "litellm_calls": (
        "litellm-openmeter",
        "litellm-generic",
        "litellm-wattoken",
        "litellm-twice",
    ),
    "litellm_proxy": ("proxy-generic", "proxy-openmeter", "proxy-wattoken", "proxy-otel"),
    "openmeter_sdk": ("openmeter-sdk",),
    "cloudevents_sdk": ("cloudevents-sdk",),
    "otel_spans": ("otlp",),
    "provider_objects": ("provider-objects",),
    "page_blocks": ("page-blocks",),
    "fastapi_gateway_calls": ("fastapi",),
}
TENANT = "acme"
SCRIPT_TIMEOUT_SECONDS = 240
METERED_WITHIN_SECONDS = 30.0
#: What the scripts may see of the developer's environment: no keys and no settings of clients.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "XDG_CACHE_HOME")


@pytest.fixture(scope="module")
def pipeline(pipelines: PipelineFactory) -> Pipeline:
    if not INTERPRETER.exists():
        missing(ComponentMissing(f"{CLIENTS} has no environment; run `make gateway-clients`"))
    accounts = [
        # The proxy's callbacks report the same calls: under one tenant each would count once.
        (region if script == "litellm_proxy" else TENANT, region)
        for script, regions in SCRIPTS.items()
        for region in regions
    ]
    return pipelines(accounts=accounts, services=["ingest", "aggregator"])


def run_script(pipeline: Pipeline, script: str) -> dict[str, list[dict[str, Any]]]:
    """Run one client; return the rows it says must come of it, by region."""
    keys = {credential.region: credential.key for credential in pipeline.credentials}
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env["WATTOKEN_URL"] = pipeline.addresses["ingest"]
    env["WATTOKEN_KEYS"] = json.dumps({region: keys[region] for region in SCRIPTS[script]})
    # Whatever a client wants beyond this machine, it does not get.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        env[name] = "http://127.0.0.1:9"
    env["no_proxy"] = env["NO_PROXY"] = "127.0.0.1,localhost"
    done = subprocess.run(
        [str(INTERPRETER), str(CLIENTS / f"{script}.py")],
        env=env, capture_output=True, text=True, timeout=SCRIPT_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    rows: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.strip().splitlines()[-1])
    return rows


def registers(pipeline: Pipeline, columns: str, regions: list[str]) -> list[dict[str, Any]]:
    query = f"SELECT region, provider, model, {columns} FROM registers"
    with database(pipeline) as client:
        found = client.query(
            f"{query} WHERE region IN {{regions:Array(String)}} ORDER BY ALL",
            parameters={"regions": regions},
        )
        return list(found.named_results())


def assert_metered(pipeline: Pipeline, expected: dict[str, list[dict[str, Any]]]) -> None:
    """Wait until as many requests are metered as expected, and compare every number."""
    rows = [{"region": region, **row} for region, found in expected.items() for row in found]
    rows.sort(key=lambda row: (row["region"], row["provider"], row["model"]))
    assert rows, "the script expects nothing"
    columns = ", ".join(name for name in rows[0] if name not in ("region", "provider", "model"))
    requests = sum(row["requests"] for row in rows)
    deadline = time.monotonic() + METERED_WITHIN_SECONDS
    while True:
        metered = registers(pipeline, columns, list(expected))
        seen = sum(row["requests"] for row in metered)
        if seen >= requests or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert metered == rows


@pytest.mark.timeout(SCRIPT_TIMEOUT_SECONDS + 60)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_register_shows_exactly_what_the_client_used(pipeline: Pipeline, script: str) -> None:
    expected = run_script(pipeline, script)
    assert set(SCRIPTS[script]) <= set(expected)
    assert_metered(pipeline, expected)


def test_a_gateway_may_write_straight_onto_the_topic(pipeline: Pipeline) -> None:
    try:
        kcat = fetch_kcat(print)
    except ComponentMissing as error:
        missing(error)
    event = {
        "source": "gateway-with-kcat",
        "tenant": TENANT,
        "time": datetime.now(UTC).isoformat(),
        "region": "kcat",
        "provider": "openai",
        "model": "gpt-5",
        "input_tokens": 1200,
        "cache_read_input_tokens": 800,
        "output_tokens": 340,
    }
    lines = [json.dumps({"id": f"kcat-{number}", **event}) for number in (1, 2, 3, 1)]
    # The key decides the partition, and so whether a resend meets its first: any that is a
    # function of tenant, source and id will do, with the partitioner that Kafka's own clients use.
    keyed = [f"{TENANT}/gateway-with-kcat/{json.loads(line)['id']}\t{line}" for line in lines]
    produce = [
        *("-P", "-b", pipeline.infrastructure.bootstrap_servers, "-t", pipeline.topic),
        *("-K", "\t", "-X", "acks=all", "-X", "partitioner=murmur2_random"),
    ]
    subprocess.run(
        kcat_command(kcat, *produce), input="\n".join(keyed), text=True, timeout=30, check=True
    )
    row = {"provider": "openai", "model": "gpt-5", "requests": 3, "input_tokens": 3600}
    row |= {"cache_read_input_tokens": 2400, "output_tokens": 1020}
    assert_metered(pipeline, {"kcat": [row]})
