"""A restored backup, and an exporter that starts again after it: no counter falls."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from services.local_stack.pipeline import Pipeline
from services.local_stack.ports import pick_port
from services.local_stack.processes import Child
from services.local_stack.services import service_plan
from tests.integration.conftest import PipelineFactory
from tests.integration.faults import database as connected
from tests.integration.test_exporter import (
    Samples,
    get,
    insert_checkpoint,
    insert_register,
    samples_of,
    value,
)

LOG = "cluster/log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def exporting(pipelines: PipelineFactory, state: Path) -> Pipeline:
    """Only an exporter, which keeps its heights; the tests write the rows themselves."""
    return pipelines(
        services=["exporter"],
        partitions=1,
        env={
            "WATTOKEN_EXPORTER_STATE_DIR": str(state),
            "WATTOKEN_EXPORTER_HEIGHTS_SECONDS": "0",
            "WATTOKEN_EXPORTER_MAX_SERIES": "2",
            "WATTOKEN_EXPORTER_TIMEOUT_SECONDS": "20",
        },
    )


@pytest.fixture
def database(exporting: Pipeline) -> Iterator[Client]:
    with connected(exporting) as client:
        yield client


def counters(pipeline: Pipeline) -> Samples:
    body, _ = get(pipeline)
    samples = samples_of(body)
    assert value(samples, "up") == 1
    return {key: number for key, number in samples.items() if key[0].endswith("_total")}


def fill(client: Client) -> None:
    for number, model in enumerate(("big", "mid", "small", "least")):
        tokens = 10 ** (6 - number)
        insert_register(client, LOG, 50, model=model, requests=4 - number, input_tokens=tokens)
    counts = {"received": 100, "accepted": 80, "duplicate": 15, "late": 9}
    insert_checkpoint(client, LOG, 100, rejected={"too_old": 5}, **counts)


def restore_older(client: Client) -> None:
    """Put an older state of the database in the place of the newer."""
    for table in ("slices_register", "checkpoints"):
        client.command(f"TRUNCATE TABLE {table}")
    insert_register(client, LOG, 20, model="mid", requests=2, input_tokens=10)
    insert_register(client, LOG, 20, model="least", requests=1, input_tokens=900)
    insert_checkpoint(client, LOG, 40, received=40, accepted=40)


def test_an_exporter_started_after_a_restore_lowers_no_counter(
    exporting: Pipeline, database: Client
) -> None:
    fill(database)
    before = counters(exporting)
    assert before[("wattoken_input_tokens_total", series("big"))] == 10**6
    exporting.exporter.kill(signal.SIGKILL)
    restore_older(database)
    exporting.exporter.restart()
    after = counters(exporting)
    assert after == before
    samples = samples_of(get(exporting)[0])
    # Two by name and "other", and five counts.
    assert value(samples, "held_series") == 8
    assert value(samples, "heights_kept") == 1
    # What has passed its height goes on from there.
    insert_register(database, LOG, 60, model="big", requests=5, input_tokens=10**6 + 1)
    fall = {key for key, number in counters(exporting).items() if number < before[key]}
    assert fall == set()
    assert counters(exporting)[("wattoken_input_tokens_total", series("big"))] == 10**6 + 1


def series(model: str) -> frozenset[tuple[str, str]]:
    return frozenset({("region", "eu"), ("provider", "p"), ("model", model)})


def test_other_does_not_fall_when_a_restart_finds_another_ranking(
    exporting: Pipeline, database: Client
) -> None:
    fill(database)
    other = (
        "wattoken_input_tokens_total",
        frozenset((n, "other") for n in ("region", "provider", "model")),
    )
    before = counters(exporting)
    assert before[other] == 10**4 + 10**3
    insert_register(database, LOG, 60, model="least", requests=9, input_tokens=10**9)
    exporting.exporter.kill(signal.SIGKILL)
    exporting.exporter.restart()
    after = counters(exporting)
    assert after.keys() == before.keys()
    assert after[other] == 10**9 + 10**4


@contextmanager
def another(pipeline: Pipeline, **env: str) -> Iterator[Child]:
    """Run one more exporter on the same pipeline."""
    name = "exporter-2"
    plan = service_plan(
        *("exporter", pick_port(None), {**pipeline.env, **env}),
        pipeline.infrastructure.logs / f"{pipeline.name}-{name}.log",
        pipeline.infrastructure.data / "services" / pipeline.name / name,
    )
    child = Child(plan)
    child.start()
    try:
        yield child
    finally:
        child.kill(signal.SIGKILL)


def test_a_folder_is_of_one_exporter_alone(exporting: Pipeline) -> None:
    with another(exporting) as second:
        assert second.wait(60) == 1
        (line,) = second.log_tail(1).splitlines()
        assert line.startswith("wattoken: another exporter keeps its counters' heights in")


def test_a_damaged_file_is_told_and_stops_nothing(
    exporting: Pipeline, database: Client, state: Path
) -> None:
    fill(database)
    before = counters(exporting)
    exporting.exporter.kill(signal.SIGKILL)
    whole = (state / "heights.jsonl").read_bytes()
    (state / "heights.jsonl").write_bytes(whole.replace(b"1000000", b"9000000"))
    exporting.exporter.restart()
    assert counters(exporting) == before
    assert "cannot read the counters' heights" in exporting.exporter.plan.log_path.read_text()
    assert (state / "heights.jsonl.unreadable").exists()
