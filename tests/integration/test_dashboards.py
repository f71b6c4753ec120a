"""Every query of every dashboard has data: on a real Prometheus, exporter and ClickHouse."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.local_stack.prometheus import find_prometheus, find_promtool
from tests.contract import dashboard_files
from tests.contract.dashboard_files import Dashboard, load, queries, variables
from tests.integration.conftest import PipelineFactory, in_ci
from tests.integration.dashboard_scene import Scene, choices, fill_promql, fill_sql, scene_of
from tests.integration.faults import PARTITIONS, database

WITHIN_SECONDS = 25
SPAN_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "y": 365 * 86_400}


@pytest.fixture(scope="module")
def scene(pipelines: PipelineFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One pipeline for all dashboards."""
    prometheus, promtool = find_prometheus(), find_promtool()
    if prometheus is None or promtool is None:
        give_up = pytest.fail if in_ci() else pytest.skip
        give_up("Prometheus and promtool are not installed")
    pipeline = pipelines(
        partitions=PARTITIONS,
        env={
            "WATTOKEN_AGGREGATOR_FLUSH_INTERVAL_SECONDS": "0.5",
            "WATTOKEN_EXPORTER_REFRESH_SECONDS": "1",
        },
    )
    with scene_of(pipeline, prometheus, promtool, tmp_path_factory.mktemp("dashboards")) as made:
        yield made


def values_of_variables(scene: Scene, dashboard: Dashboard) -> dict[str, list[str]]:
    """Each variable's values, from the query that Grafana would ask for them."""
    found: dict[str, list[str]] = {}
    for name, variable in variables(dashboard).items():
        if variable["type"] == "datasource":
            continue
        of_label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
        if of_label:
            chosen = fill_promql(of_label[1], found)
            found[name] = scene.ask(f"label/{of_label[2]}/values", **{"match[]": chosen})
        else:
            with database(scene.pipeline) as client:
                found[name] = choices(client, variable, found)
    return found


def has_data(scene: Scene, target: dict[str, Any], expression: str) -> bool:
    """Whether there is a number, asked in the way that the panel asks."""
    if target.get("instant"):
        result = scene.ask("query", query=expression)["result"]
        numbers = [series["value"][1] for series in result]
    else:
        now = time.time()
        span = {"start": now - 20, "end": now, "step": 2}
        result = scene.ask("query_range", query=expression, **span)["result"]
        numbers = [value for series in result for _, value in series["values"]]
    return any(not math.isnan(float(number)) for number in numbers)


@pytest.mark.parametrize("path", dashboard_files.METRICS, ids=lambda path: path.stem)
def test_every_query_of_prometheus_has_data(scene: Scene, path: Path) -> None:
    dashboard = load(path)
    waiting = dict(queries(dashboard))
    deadline = time.monotonic() + WITHIN_SECONDS
    while waiting and time.monotonic() < deadline:
        values = values_of_variables(scene, dashboard)
        waiting = {
            title: target
            for title, target in waiting.items()
            if not all(values.values())
            or not has_data(scene, target, fill_promql(target["expr"], values))
        }
        if waiting:
            time.sleep(0.5)
    assert not waiting, {title: target["expr"] for title, target in waiting.items()}


@pytest.mark.parametrize("path", dashboard_files.SQL, ids=lambda path: path.stem)
def test_every_query_of_clickhouse_has_rows(scene: Scene, path: Path) -> None:
    dashboard = load(path)
    values = values_of_variables(scene, dashboard)
    assert all(values.values())
    number, unit = re.fullmatch(r"now-(\d+)(\w)", dashboard["time"]["from"]).groups()  # type: ignore[union-attr]
    to_time = int(time.time())
    from_time = to_time - int(number) * SPAN_SECONDS[unit]
    with database(scene.pipeline) as client:
        for title, target in queries(dashboard):
            text = fill_sql(target["rawSql"], values, from_time=from_time, to_time=to_time)
            # As Grafana's user has it: a query that would change anything is refused.
            answer = client.query(text, settings={"readonly": 1})
            assert answer.result_rows, f"{title}: {text}"
            assert answer.result_rows != [(None,)], title
            if target["format"] == 0:
                assert_series(title, answer.column_names, answer.result_rows)


def assert_series(title: str, names: tuple[str, ...], rows: Any) -> None:
    """Hold that the plug-in can make series of it: time, in order; labels are text; numbers."""
    assert names[0] == "time", title
    times = [row[0] for row in rows]
    assert all(isinstance(at, date | datetime) for at in times), title
    assert times == sorted(times), title
    kinds = {type(value) for row in rows for value in row[1:]}
    assert kinds & {int, float, Decimal}, title
    assert kinds <= {int, float, Decimal, str, bool}, f"{title}: {kinds}"


def test_the_dashboards_say_what_the_meter_says(scene: Scene) -> None:
    """The figures of the last moment, once all is metered, are the views' own."""
    shown = {
        title: fill_promql(target["expr"], dict.fromkeys(("region", "provider", "model"), [".*"]))
        for path in dashboard_files.METRICS
        for title, target in queries(load(path))
    }
    scene.end_traffic()
    with database(scene.pipeline) as client:
        ((tokens, requests),) = client.query(
            "SELECT sum(input_tokens + output_tokens), sum(requests) FROM registers"
        ).result_rows
    expected = {
        "Tokens (A)": tokens,
        "Requests (A)": requests,
        "Unaccounted (A)": 0,
        "Reconciliation (A)": 0,
        "Lag (A)": 0,
    }

    def figures() -> dict[str, float]:
        results = {title: scene.ask("query", query=shown[title])["result"] for title in expected}
        return {title: float(rows[0]["value"][1]) for title, rows in results.items() if rows}

    deadline = time.monotonic() + WITHIN_SECONDS
    while figures() != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    assert figures() == expected
