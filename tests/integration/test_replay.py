"""Real request traces through the real pipeline: every request and token counted, once.

The traces are those of the AzurePublicDataset (LLM inference, 2023); they lie beside the
repository, not in it.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.local_stack.pipeline import Pipeline
from services.platform.clickhouse import connect
from services.platform.settings import ClickHouseSettings
from tests.integration.conftest import PipelineFactory

DATA = Path(__file__).parents[3] / "shared" / "data"
CODE = DATA / "azure_llm_trace_2023_code.csv"
CONVERSATION = DATA / "azure_llm_trace_2023_conv.csv"
#: Model (the file's name), requests, input tokens, output tokens.
EXPECTED = [
    ("azure_llm_trace_2023_code", 8_819, 18_059_974, 245_896),
    ("azure_llm_trace_2023_conv", 19_366, 22_361_870, 4_088_665),
]

pytestmark = pytest.mark.skipif(
    not (CODE.exists() and CONVERSATION.exists()), reason=f"the request traces are not in {DATA}"
)


def totals_by_sql(pipeline: Pipeline, view: str) -> list[tuple[Any, ...]]:
    settings = ClickHouseSettings(
        clickhouse_port=pipeline.infrastructure.ports.clickhouse_http,
        clickhouse_database=pipeline.database,
    )
    with closing(connect(settings)) as client:
        rows = client.query(
            "SELECT model, sum(requests), sum(input_tokens), sum(output_tokens)"
            f" FROM {view} GROUP BY model ORDER BY model"
        ).result_rows
    return [tuple(row) for row in rows]


def totals_by_metrics(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    answer = httpx.get(f"{pipeline.addresses['exporter']}/metrics", trust_env=False)
    assert answer.status_code == 200
    values: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if "model" in sample.labels:
                values.setdefault(sample.labels["model"], {})[sample.name] = sample.value
    return [
        (
            model,
            int(found["wattoken_requests_total"]),
            int(found["wattoken_input_tokens_total"]),
            int(found["wattoken_output_tokens_total"]),
        )
        for model, found in sorted(values.items())
        if "wattoken_requests_total" in found
    ]


def assert_exact(pipeline: Pipeline) -> None:
    """All three families by SQL; by /metrics as soon as the exporter has read the newest rows."""
    for view in ("registers", "usage_minute", "usage_hour"):
        assert totals_by_sql(pipeline, view) == EXPECTED, view
    deadline = time.monotonic() + 30
    while (found := totals_by_metrics(pipeline)) != EXPECTED and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == EXPECTED


def replay(pipeline: Pipeline, trace: Path, ledger: Path, *options: str) -> dict[str, Any]:
    output = pipeline.run(
        *("replay", str(trace), "--ledger", str(ledger), "--run-id", "test", "--json"), *options
    )
    # Progress goes to the same place, line by line before the result.
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return result


def audit(pipeline: Pipeline, ledger: Path) -> dict[str, Any]:
    output = pipeline.run("audit", "--ledger", str(ledger), "--json", timeout_seconds=120)
    result: dict[str, Any] = json.loads(output[output.index("{") :])
    return result


def test_both_traces_over_http_and_straight_are_metered_exactly(
    pipelines: PipelineFactory, tmp_path: Path
) -> None:
    pipeline, ledger = pipelines(), tmp_path / "ledger"
    credential = pipeline.credentials[0]
    http = ["--via", "http", "--url", pipeline.addresses["ingest"]]
    http += ["--key", credential.key, "--tenant", credential.tenant]
    sent = replay(pipeline, CODE, ledger, *http, "--region", credential.region)
    assert sent["acknowledged"] == 8_819
    assert replay(pipeline, CONVERSATION, ledger)["acknowledged"] == 19_366
    assert audit(pipeline, ledger)["exact"] is True
    assert_exact(pipeline)

    # Once more under the same run id: all of it duplicates, nothing counted twice.
    replay(pipeline, CODE, ledger, *http, "--region", credential.region)
    replay(pipeline, CONVERSATION, ledger)
    audited = audit(pipeline, ledger)
    assert audited["duplicates_dropped"] == 8_819 + 19_366
    assert audited["exact"] is True
    assert_exact(pipeline)


def metered(pipeline: Pipeline) -> int:
    return sum(row[1] for row in totals_by_sql(pipeline, "registers"))


def test_the_same_after_kill_9_of_the_aggregator_in_the_middle(
    pipelines: PipelineFactory, tmp_path: Path
) -> None:
    # Small fetches, and no more of them until a flush succeeded: so the kill meets the traces
    # half metered, which takes a blink otherwise.
    env = {
        "WATTOKEN_AGGREGATOR_FLUSH_INTERVAL_SECONDS": "0.1",
        "WATTOKEN_AGGREGATOR_FETCH_BYTES_MAX": "20000",
        "WATTOKEN_AGGREGATOR_PENDING_ROWS_MAX": "50",
    }
    pipeline, ledger = pipelines(env=env), tmp_path / "ledger"
    pipeline.aggregator.kill()
    replay(pipeline, CODE, ledger)
    replay(pipeline, CONVERSATION, ledger)
    pipeline.aggregator.restart()
    total = 8_819 + 19_366
    deadline = time.monotonic() + 60
    while (half := metered(pipeline)) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    pipeline.aggregator.kill()
    assert 0 < half < total, "the kill came too early or too late to mean anything"
    assert 0 < metered(pipeline) < total
    pipeline.aggregator.restart()
    assert audit(pipeline, ledger)["exact"] is True
    assert_exact(pipeline)


def test_a_bad_row_is_refused_before_anything_is_sent(
    pipelines: PipelineFactory, tmp_path: Path
) -> None:
    pipeline = pipelines(services=())
    bad = tmp_path / "bad.csv"
    bad.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,-2\n")
    with pytest.raises(Exception, match=r"line 2, column GeneratedTokens"):
        pipeline.run("replay", str(bad))
