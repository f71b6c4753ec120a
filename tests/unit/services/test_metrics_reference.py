"""The page of metrics is what the table says."""

from __future__ import annotations

from services.aggregator.metrics import REGISTRY
from services.canary.metrics import CanaryMetrics
from services.exporter.metric_definitions import METRICS, exposed_name
from services.ingest.metrics import IngestMetrics
from services.metrics_reference import METRICS_PATH, render


def test_the_page_is_up_to_date() -> None:
    assert METRICS_PATH.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_metric_is_on_it() -> None:
    page = render()
    for meaning in METRICS:
        assert f"| `{exposed_name(meaning)}` | {meaning.type} |" in page


def test_so_is_every_metric_of_ingest_and_of_the_workers() -> None:
    page = render()
    for registry in (IngestMetrics().registry, REGISTRY, CanaryMetrics().registry):
        for name in registry._names_to_collectors:
            shown = f"| `{name}` |" in page or any(
                name == f"{base}{suffix}" and f"| `{base}` |" in page
                for suffix in ("_created", "_bucket", "_sum", "_count", "_info")
                for base in [name.removesuffix(suffix)]
            )
            assert shown or f"| `{name}_total` |" in page or name.endswith("_created"), name
