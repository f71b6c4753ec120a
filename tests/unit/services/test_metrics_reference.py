"""The page of metrics is what the table says."""

from __future__ import annotations

from services.exporter.metric_definitions import METRICS, exposed_name
from services.metrics_reference import METRICS_PATH, render


def test_the_page_is_up_to_date() -> None:
    assert METRICS_PATH.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_metric_is_on_it() -> None:
    page = render()
    for meaning in METRICS:
        assert f"| `{exposed_name(meaning)}` | {meaning.type} |" in page
