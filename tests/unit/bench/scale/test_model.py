"""The model predicts what was measured, from what else was measured; the page says what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench import generator
from bench.errors import BenchError
from bench.machine import ROOT
from bench.scale.assumed import listed, with_settings
from bench.scale.platform import Assumptions, Platform, money, need
from bench.scale.report import PAGE, Model, model, placed, tables
from bench.scale.shapes import FORM_US, OWN_FORM_US, recorded
from bench.scale.writing import UNIT_ROW, Limits
from services.aggregator.settings import AggregatorSettings

#: What the model promises of a shape that it has not seen.
OFF_BY_MOST = 0.20


@pytest.fixture(scope="module")
def found() -> Model:
    return model()


def test_each_shape_is_predicted_from_the_others(found: Model) -> None:
    off = {one.shape.shape: round(one.error, 3) for one in found.predicted}
    assert off.keys() == generator.SHAPES.keys()
    assert all(abs(error) < OFF_BY_MOST for error in off.values()), off


@pytest.mark.parametrize("name", ["usual", "writers", "zipf", "wide"])
@pytest.mark.parametrize("times", [0.6, 1.6])
def test_another_speed_would_be_noticed(name: str, times: float) -> None:
    """Nothing of a shape's own speed goes into what is predicted of it."""
    shapes = [
        replace(one, runs=tuple(times * run for run in one.runs)) if one.shape == name else one
        for one in recorded()
    ]
    (off,) = [one.error for one in model(shapes).predicted if one.shape.shape == name]
    assert abs(off) > OFF_BY_MOST


def test_all_costs_are_above_nothing(found: Model) -> None:
    costs = found.costs
    assert min(costs.event, costs.row, costs.look_up, found.clickhouse_row_us) > 0
    assert found.clickhouse_row_us < costs.row


def test_what_is_written_when_goes_by_the_workers_settings() -> None:
    settings = AggregatorSettings()
    limits = Limits()
    assert limits == Limits(
        settings.aggregator_flush_interval_seconds,
        settings.aggregator_pending_rows_max,
        settings.aggregator_keep_minutes_seconds,
        settings.aggregator_keep_hours_seconds,
    )
    assert Assumptions().keep_hours == settings.aggregator_keep_hours_seconds / 3600


def test_numbers_that_are_counted_are_what_is_there() -> None:
    tables_there = json.loads((ROOT / "schemas/clickhouse_tables.json").read_text(encoding="utf-8"))
    units, hours = tables_there["slices_unit"], tables_there["slices_hour"]
    assert pytest.approx(len(units["columns"]) / len(hours["columns"])) == UNIT_ROW
    fields = {name: text.count('":') for name, text in
              (("own", generator.OWN), ("wide", generator.WIDE))}  # fmt: skip
    assert FORM_US["wide"] == OWN_FORM_US * fields["wide"] / fields["own"]


def test_the_page_has_what_the_command_prints(found: Model) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert placed(page, tables(found, Assumptions())) == page, "run `python -m bench scale --write`"


def test_more_is_never_cheaper(found: Model) -> None:
    given = Assumptions()
    needs = [
        need(Platform(rate, 100_000), found.costs, found.clickhouse_row_us, given)
        for rate in (1e4, 1e5, 1e6, 1e7)
    ]
    for less, more in zip(needs, needs[1:], strict=False):
        assert less.workers <= more.workers and less.partitions <= more.partitions
        assert less.processors < more.processors and less.disk < more.disk
        assert money(less, given).total < money(more, given).total
        # Workers keep up at the load that is planned.
        assert more.worker_processors <= more.workers * 2 * given.busy


def test_assumptions_are_set_by_name() -> None:
    given = with_settings(["log_days=3", "replicas=2"])
    assert (given.log_days, given.replicas) == (3.0, 2)
    assert "log_days=3\n" in listed(given)


@pytest.mark.parametrize("text", ["log_day=3", "log_days=x", "log_days", "busy=0", "replicas=2.5"])
def test_what_is_no_assumption_is_named(text: str) -> None:
    with pytest.raises(BenchError, match=f"--set {text}: "):
        with_settings([text])
