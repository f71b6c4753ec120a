"""The command line, `wattoken`: one thin function per subcommand.

Imports of a command's own service stand inside its function, so that `--help` stays quick and a
service image needs only what its service needs.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from services.platform.errors import WattokenError

app = typer.Typer(
    name="wattoken",
    help="The meter for the token economy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def migrate(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of a new topic.")] = 12,
    replication_factor: Annotated[int, typer.Option(min=1, help="Replicas of a new topic.")] = 1,
    retention_days: Annotated[int, typer.Option(min=2, help="Retention of a new topic.")] = 7,
    max_event_age_days: Annotated[
        int, typer.Option(min=1, help="On a new log: reject events older than this.")
    ] = 35,
) -> None:
    """Create the topic, the tables and the metering rules; safe to run again."""
    from schemas.metering_rules import DAY_MS, MeteringRules
    from services.platform.migrate import TopicPlan
    from services.platform.migrate import migrate as run
    from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings

    plan = TopicPlan(partitions, replication_factor, retention_days * DAY_MS)
    rules = MeteringRules(too_old_ms=max_event_age_days * DAY_MS)
    run(read_settings(KafkaSettings), read_settings(ClickHouseSettings), plan, rules, typer.echo)


@app.command()
def ingest() -> None:
    """Run the ingest service: HTTP in, Kafka out."""
    from services.ingest.app import run

    run()


@app.command()
def aggregator() -> None:
    """Run the aggregator: a Faust worker from Kafka to ClickHouse."""
    from services.aggregator.app import run

    run()


@app.command()
def exporter() -> None:
    """Run the exporter: Prometheus metrics from ClickHouse."""
    from services.exporter.app import run

    run()


def main() -> Any:
    """Entry point: our errors become one line on stderr and exit code 1."""
    try:
        return app()
    except WattokenError as error:
        print(f"wattoken: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
