"""Commands of a checkout: the local stack, and what tries to break it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.root import app
from services.platform.errors import ConfigurationError
from services.platform.output import say


@app.command()
def up(
    broker: Annotated[
        str, typer.Option(help="auto (Apache Kafka, else tansu), kafka or tansu.")
    ] = "auto",
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder for data and logs; default .wattoken/<time>.")
    ] = None,
    keep_data: Annotated[
        bool, typer.Option(help="Keep the data at the end, for the next `up --state-dir`.")
    ] = False,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of a new topic.")] = 12,
    canary: Annotated[
        bool, typer.Option("--canary", help="Run a canary beside the services (docs/canary.md).")
    ] = False,
) -> None:
    """Run the whole stack on this machine: broker, ClickHouse, Prometheus and the services."""
    from services.local_stack.up import run

    run(
        broker=broker,
        state_dir=state_dir,
        keep_data=keep_data,
        partitions=partitions,
        canary=canary,
    )


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(min=1, help="How long the fleet reports.")] = 30.0,
    rate: Annotated[float, typer.Option(min=1, help="New events a second.")] = 2500.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same readings.")] = 1,
    broker: Annotated[
        str, typer.Option(help="auto (Apache Kafka, else tansu), kafka or tansu.")
    ] = "auto",
    keep: Annotated[bool, typer.Option(help="Leave it running until Ctrl-C.")] = False,
) -> None:
    """Show it whole: the local stack, a fleet with faults, and an audit of every total."""
    from services.local_stack.demo import run

    if not run(seconds=seconds, rate=rate, seed=seed, broker=broker, keep=keep):
        raise typer.Exit(1)


@app.command()
def chaos(
    seed: Annotated[int, typer.Option(help="The same seed draws the same schedule.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long faults go on.")] = 30.0,
    faults: Annotated[
        str, typer.Option(help="Only these kinds or families, comma-separated; all if not given.")
    ] = "",
    replay: Annotated[
        Path | None, typer.Option(help="Log of an earlier run: do its schedule again.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The result; the log is written beside it.")] = Path(
        "out/chaos.json"
    ),
    check_every: Annotated[
        int, typer.Option(min=0, help="Compare after every so many rounds too; 0: at the end only.")
    ] = 0,
    recovery_seconds: Annotated[
        float, typer.Option(min=1, help="What the meter may take to make progress again.")
    ] = 30.0,
) -> None:
    """Hurt the real processes in every way for a while, and prove that all totals stay exact."""
    try:
        from tests.chaos.run import Options, run
    except ImportError as error:
        raise ConfigurationError(
            f"`wattoken chaos` needs a source checkout with its tests, and `make setup`: {error}"
        ) from None

    chosen = tuple(faults.split(","))
    options = Options(seed, minutes, chosen, replay, out, check_every, recovery_seconds)
    try:
        passed = run(options, say)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if not passed:
        raise typer.Exit(1)
