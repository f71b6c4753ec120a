"""What ingest refuses is on its topic, through a kill of ingest, and metered once it is fixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.local_stack.pipeline import Pipeline

PROMPT = "how do I get rich without work"


@pytest.fixture(scope="module")
def pipeline(pipelines: Callable[..., Pipeline]) -> Pipeline:
    # One model a day, so that the second is refused for nothing but the limit.
    return pipelines(
        services=["ingest"],
        accounts=[("acme", "eu")],
        partitions=2,
        env={"WATTOKEN_INGEST_KEY_MODELS_MAX": "1"},
    )


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    base = {"id": event_id, "source": "gw", "provider": "openai", "model": "one"}
    time = datetime.now(UTC).isoformat()
    return {**base, "time": time, "input_tokens": 70, "output_tokens": 7, **fields}


def post(pipeline: Pipeline, content: object, path: str = "/v1/events") -> httpx.Response:
    headers = {"Authorization": f"Bearer {pipeline.credentials[0].key}"}
    return httpx.post(pipeline.addresses["ingest"] + path, json=content, headers=headers)


def listed(pipeline: Pipeline, *options: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(pipeline.run("rejected", "list", "--json", *options))
    return said


def test_what_is_refused_is_listed_shown_and_put_back_once(pipeline: Pipeline) -> None:
    old = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    batch = [
        event("good"),
        event("other", model="two"),
        event("old", time=old),
        event("odd", input_tokens="many", prompt=PROMPT),
        {"id": "no-time", "source": "gw", "model": "one", "usage_format": "openai_chat"},
    ]
    answer = post(pipeline, batch)
    assert answer.status_code == 207
    codes = {item["index"]: item["code"] for item in answer.json()["rejected"]}
    assert codes[1] == "too_many_models" and codes[2] == "too_old" and set(codes) == {1, 2, 3, 4}
    # Acknowledged before the answer: a kill now loses nothing of it.
    pipeline.supervisor.children["ingest"].kill()

    found = listed(pipeline)
    assert sum(found["reasons"].values()) == 4
    assert PROMPT not in json.dumps(found)
    (one,) = listed(pipeline, "--reason", "too_many_models")["newest"]
    assert json.loads(one["payload"])["id"] == "other"
    place = (str(one["partition"]), str(one["offset"]))
    assert json.loads(pipeline.run("rejected", "show", *place, "--json")) == one

    said = pipeline.run("rejected", "requeue", "--yes")
    assert f"1 put back onto {pipeline.topic}, 3 left" in said
    assert "older than" in said
    said = pipeline.run("rejected", "requeue", "--yes")
    assert f"0 put back onto {pipeline.topic}, 3 left" in said
    (one,) = listed(pipeline, "--reason", "too_many_models")["newest"]
    assert one["requeued"] is True
