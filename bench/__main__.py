"""The command line of the benchmarks: `python -m bench run`, and `--help` says what else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.local_stack.up import ended_by_signals
from services.platform.errors import WattokenError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Events = Annotated[int, typer.Option(min=5_000, help="Events in the prefilled topic.")]
Runs = Annotated[int, typer.Option(min=1, help="Runs of each; the median counts.")]


@app.command("run")
def run_command(
    events: Events = 2_000_000,
    runs: Runs = 3,
    slices: Annotated[int, typer.Option(min=1000, help="Slices held when killed.")] = 1_000_000,
    freshness_rate: Annotated[
        float, typer.Option(min=1, help="Events/s through ingest while freshness is measured.")
    ] = 30_000,
    freshness_seconds: Annotated[
        float, typer.Option(min=1, help="How long freshness is measured, each run.")
    ] = 30,
    ingest_seconds: Annotated[
        float, typer.Option(min=1, help="How long each load is put on ingest, each run.")
    ] = 10,
    only: Annotated[
        str,
        typer.Option(
            help="Comma-separated: programs (wattoken, clickhouse_rows and peers by their names),"
            " recovery, freshness, ingest, attacks, durability, exporter, questions."
        ),
    ] = "",
    minute_slices: Annotated[
        int, typer.Option(min=1_000_000, help="Minute slices that the exporter stands over.")
    ] = 50_000_000,
    shape: Annotated[
        str,
        typer.Option(
            help="What the programs' events look like: usual, zipf, spaced, writers, wide, late."
        ),
    ] = "usual",
    partitions: Annotated[int, typer.Option(min=1, help="Of the prefilled topic.")] = 4,
    ids_in_memory: Annotated[
        int | None,
        typer.Option(min=1000, help="Ids that the worker holds before they move to disk."),
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Result file to write.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Chart to write.")] = None,
) -> None:
    """Measure the aggregator beside its peers; exit 1 if one of them has no valid run."""
    from bench.generator import SHAPES
    from bench.plan import Plan
    from bench.results import LATEST
    from bench.run import CHART, run, say

    if shape not in SHAPES:
        raise typer.BadParameter(f"{shape!r} is none of {', '.join(SHAPES)}", param_hint="--shape")
    chosen = tuple(name.strip() for name in only.split(",") if name.strip())
    load = (freshness_rate, freshness_seconds, ingest_seconds)
    plan = Plan(
        *(events, runs, slices, *load, chosen, minute_slices, shape, partitions, ids_in_memory)
    )
    if not run(plan, results or LATEST, chart or CHART, say):
        raise typer.Exit(1)


@app.command("scaling")
def scaling_command(
    events: Events = 1_000_000,
    runs: Runs = 1,
    slices_max: Annotated[int, typer.Option(min=1000, help="Most slices to recover.")] = 1_000_000,
    ids_max: Annotated[
        int, typer.Option(min=1000, help="Most ids in the dedup store.")
    ] = 100_000_000,
    only: Annotated[str, typer.Option(help="Comma-separated names of sweeps.")] = "",
    results: Annotated[Path | None, typer.Option(help="Result file to write.")] = None,
    charts: Annotated[Path | None, typer.Option(help="Folder for the charts.")] = None,
) -> None:
    """Measure what the aggregator costs as workers, partitions, tenants, batches and state grow."""
    from bench.run import say
    from bench.scaling import CHARTS, SCALING, Plan, run

    chosen = tuple(name.strip() for name in only.split(",") if name.strip())
    plan = Plan(events, runs, slices_max, ids_max, chosen)
    run(plan, results or SCALING, charts or CHARTS, say)


@app.command("takeover")
def takeover_command(
    ids: Annotated[int, typer.Option(min=1000, help="Ids of the partition.")] = 10_000_000,
) -> None:
    """Measure how soon a worker with an empty disk has the ids of a partition, from copies."""
    from bench.run import say
    from bench.takeover import measure

    measure(ids, say)


@app.command("check")
def check_command(
    against: Annotated[str, typer.Option(help="The older commit.")] = "HEAD~1",
    loss_percent: Annotated[
        float, typer.Option(min=0, max=100, help="Most that may be lost.")
    ] = 5.0,
    events: Events = 2_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Times that the two take turns.")] = 3,
) -> None:
    """Measure this tree and an older commit in turns; exit 1 if this one is slower by too much."""
    from bench.check import run
    from bench.run import say

    if not run(against, loss_percent, events, rounds, say):
        raise typer.Exit(1)


@app.command("soak")
def soak_command(
    minutes: Annotated[float, typer.Option(min=0.5, help="How long.")] = 10.0,
    rate: Annotated[float, typer.Option(min=1, help="Events/s, in batches of 500.")] = 20_000,
    results: Annotated[Path | None, typer.Option(help="Result file to write.")] = None,
) -> None:
    """Watch ingest's memory under a steady load; exit 1 if it grows."""
    from bench.run import say
    from bench.soak import SOAK, run

    if not run(minutes, rate, results or SOAK, say):
        raise typer.Exit(1)


@app.command("scale")
def scale_command(
    given: Annotated[
        list[str] | None,
        typer.Option("--set", help="An assumption, NAME=NUMBER, as --help-assumptions lists them."),
    ] = None,
    assumptions: Annotated[
        bool, typer.Option("--help-assumptions", help="List what can be set, and its value.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/scaling.md and its chart anew.")
    ] = False,
) -> None:
    """Predict the measured shapes, and say what 10^4, 10^6 and 2 x 10^7 requests/s need."""
    from bench.chart import draw_predictions
    from bench.run import say
    from bench.scale.assumed import listed, with_settings
    from bench.scale.report import CHART, model, tables
    from bench.scale.report import write as write_page

    chosen = with_settings(given or [])
    if assumptions:
        say(listed(chosen))
        return
    found = model()
    text = tables(found, chosen)
    say(text)
    if write:
        write_page(text)
        bars = {
            one.shape.shape: (one.shape.events_per_second, one.left_out) for one in found.predicted
        }
        draw_predictions(bars, CHART)


def main() -> None:
    """Entry point: our errors become one line on stderr and exit code 1."""
    try:
        with ended_by_signals():
            app()
    except WattokenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
