"""Commands that run a service, or ask one whether it is well."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.root import app
from services.platform.gc_tuning import gc_paused


@app.command()
def ingest() -> None:
    """Run the ingest service: HTTP in, Kafka out."""
    with gc_paused():
        from services.ingest.app import run

    run()


@app.command()
def aggregator() -> None:
    """Run the aggregator: a Faust worker from Kafka to ClickHouse."""
    with gc_paused():
        from services.aggregator.worker import run

    run()


@app.command()
def exporter(
    max_series: Annotated[
        int | None,
        typer.Option(min=1, help="Most label sets shown by name; the rest are summed."),
    ] = None,
) -> None:
    """Run the exporter: Prometheus metrics from ClickHouse."""
    with gc_paused():
        from services.exporter.app import run

    run(max_series=max_series)


@app.command()
def canary() -> None:
    """Run the canary: marked events through the whole path, held against the registers."""
    from services.canary.app import run

    run()


@app.command()
def healthcheck(
    url: Annotated[str, typer.Argument(help="Address of /healthz or /readyz.")],
) -> None:
    """Exit 0 if the address answers 200; for health checks of containers."""
    from services.operate.health_probe import probe

    probe(url)
