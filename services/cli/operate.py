"""Commands of operation: examination, succession, restores, dead letters."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.options import Json, LetterReason
from services.cli.root import app
from services.platform.output import say

letters = typer.Typer(help="Records that were refused: list, show, requeue.", no_args_is_help=True)
app.add_typer(letters, name="dead-letters")


@app.command()
def succeed(
    topic: Annotated[str, typer.Option(help="Name of the new topic.")],
    partitions: Annotated[int, typer.Option(min=1, help="How many partitions it has.")],
    replication_factor: Annotated[
        int | None, typer.Option(min=1, help="Its replicas; the old topic's if not given.")
    ] = None,
    retention_days: Annotated[
        int | None, typer.Option(min=2, help="Its retention; the old topic's if not given.")
    ] = None,
    hear_seconds: Annotated[
        float, typer.Option(min=0, help="How long ingests are given to hear of it.")
    ] = 5.0,
    timeout: Annotated[
        float, typer.Option(min=1, help="Give up when nothing moves for so many seconds.")
    ] = 1200.0,
) -> None:
    """Have the log followed by a new topic, with more partitions say, while everything runs.

    No event is lost or held, and what is sent again across the change is not counted again. May be
    killed and run again at any step.
    """
    from schemas.metering_rules import DAY_MS
    from services.aggregator.settings import AggregatorSettings
    from services.operate.succession.case import Wanted
    from services.operate.succession.steps import succeed as run
    from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings

    wanted = Wanted(
        *(topic, partitions, read_settings(AggregatorSettings).aggregator_group),
        *(replication_factor, None if retention_days is None else retention_days * DAY_MS),
        hear_seconds,
    )
    kafka, clickhouse = read_settings(KafkaSettings), read_settings(ClickHouseSettings)
    run(kafka, clickhouse, wanted, timeout, say)


@app.command()
def doctor(
    machine: Annotated[
        bool, typer.Option("--machine", help="Instead: what the local stack needs here.")
    ] = False,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="With --machine: fetch what is fetched on first use.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this check; may be given often.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Examine a deployment: what it reaches, versions, topics, rights, clocks, disks, schema.

    Changes nothing. Exits with 0 where all is well, 3 for warnings alone, 1 for errors.
    """
    if machine or fetch:
        from services.local_stack.doctor import run as examine_machine

        examine_machine(fetch=fetch, as_json=as_json)
        return
    from services.operate.doctor.commands import run

    raise typer.Exit(run(only or (), as_json=as_json))


@app.command("accept-restore")
def accept_restore() -> None:
    """After a ClickHouse backup was restored: let the workers resume from its checkpoints."""
    from services.aggregator.restore import accept_restore as run
    from services.aggregator.settings import AggregatorSettings
    from services.platform.kafka import require_kafka
    from services.platform.schema_state import migrated_database
    from services.platform.settings import read_settings

    settings = read_settings(AggregatorSettings)
    require_kafka(settings)
    with migrated_database(settings):
        run(settings, say)


@letters.command("list")
def list_dead_letters(
    reason: LetterReason = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest.")] = 10,
    as_json: Json = False,
) -> None:
    """Count dead letters by reason and show the newest."""
    from services.dead_letters.commands import list_dead_letters as run
    from services.dead_letters.letters import Selection

    run(Selection(reason), limit, as_json=as_json)


@letters.command("show")
def show_dead_letter(partition: int, offset: int, as_json: Json = False) -> None:
    """Show one dead letter whole, by its place on the log."""
    from services.dead_letters.commands import show_dead_letter as run

    run(partition, offset, as_json=as_json)


@letters.command("requeue")
def requeue_dead_letters(
    reason: LetterReason = None,
    partition: Annotated[int | None, typer.Option(help="Only from this partition.")] = None,
    offset: Annotated[int | None, typer.Option(help="Only from this offset.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put dead letters back onto the topic, after what refused them was fixed.

    What would be refused again is left. Doing it twice counts nothing twice within 24 hours.
    """
    from services.dead_letters.commands import requeue_dead_letters as run
    from services.dead_letters.letters import Selection

    run(Selection(reason, partition, offset), confirmed=yes)
