"""The demo's result file: its fields add up, and an old one never stays to be believed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from services.local_stack import demo
from services.local_stack.demo import result_fields
from services.platform.errors import ConfigurationError
from services.simulator.audit import AuditResult
from services.simulator.comparison import CountDifference, MeterCounts, RowDifference
from services.simulator.expected import Bounds, LedgerTotals

EXPECTED = LedgerTotals(
    sent=110,
    unique=100,
    unresolved=0,
    refused=2,
    wrongly_refused=0,
    wrongly_taken=0,
    received=Bounds(108, 108),
    accepted=Bounds(100, 100),
    duplicate=Bounds(5, 5),
    late=Bounds(7, 7),
    rejected={"invalid_json": Bounds(3, 3)},
)
FOUND = MeterCounts(108, 100, 5, 7, {"invalid_json": 3}, {"invalid_json": 3})


def fields(rows: list[RowDifference], counts: list[CountDifference]) -> dict[str, object]:
    result = AuditResult(EXPECTED, FOUND, {}, rows, counts)
    return result_fields(result, broker="b", clickhouse_version="c", elapsed_seconds=1.26)


def test_fields_add_up() -> None:
    assert fields([], []) == {
        "events_sent": 110,
        "unique_events": 100,
        "metered_events": 100,
        "duplicates_dropped": 5,
        "rejected": 5,
        "mismatched_rows": 0,
        "exact": True,
        "broker": "b",
        "clickhouse_version": "c",
        "elapsed_seconds": 1.3,
    }


def test_holidays_are_those_of_the_catalogue() -> None:
    days = demo.holidays(load_catalogue())
    assert date(2026, 10, 1) in days
    assert list(days) == sorted(set(days))


def test_any_difference_is_not_exact() -> None:
    row = RowDifference("registers", ("eu",), "missing", ())
    assert fields([row], [])["exact"] is False
    assert fields([row], [])["mismatched_rows"] == 1
    assert fields([], [CountDifference("late", Bounds(1, 1), 2)])["exact"] is False


def test_a_failing_run_leaves_no_old_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "demo.json").write_text('{"exact": true}')

    def fail(*args: object, **options: object) -> None:
        raise ConfigurationError("no stack today")

    monkeypatch.setattr(demo, "Infrastructure", fail)
    with pytest.raises(ConfigurationError, match="no stack"):
        demo.run(seconds=1, rate=1, seed=1, broker="kafka", keep=False)
    assert not (tmp_path / "out" / "demo.json").exists()


def test_an_unknown_broker_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="rabbit"):
        demo.run(seconds=1, rate=1, seed=1, broker="rabbit", keep=False)
