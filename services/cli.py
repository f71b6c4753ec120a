"""The command line, `wattoken`: one thin function per subcommand.

Imports of a command's own service stand inside its function, so that `--help` stays quick and a
service image needs only what its service needs.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.platform.errors import ConfigurationError, WattokenError
from services.platform.printable import say

app = typer.Typer(
    name="wattoken",
    help="The meter for the token economy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Via = Literal["http", "kafka"]
Scenario = Literal["token-era"]
Ratio = typer.Option(min=0, max=1, help="Part of the events.")
IngestUrl = Annotated[str, typer.Option(help="Where ingest is.")]
IngestCa = Annotated[
    Path | None,
    typer.Option("--ca-file", help="Authority (PEM) that signed the certificate of ingest."),
]
ApiKey = Annotated[
    str | None, typer.Option(envvar="WATTOKEN_SIMULATOR_KEY", help="The API key to send with.")
]
KeyTenant = Annotated[str | None, typer.Option(help="The tenant that --key stands for.")]
ApiKeys = Annotated[Path | None, typer.Option(help="Folder of <tenant>.key files.")]
LedgerPath = Annotated[Path | None, typer.Option(help="File to record what was sent in.")]
LetterReason = Annotated[str | None, typer.Option(help="Only those with this reason.")]


@app.command()
def migrate(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of a new topic.")] = 12,
    replication_factor: Annotated[int, typer.Option(min=1, help="Replicas of a new topic.")] = 1,
    retention_days: Annotated[int, typer.Option(min=2, help="Retention of a new topic.")] = 7,
    max_event_age_days: Annotated[
        int, typer.Option(min=1, help="On a new log: reject events older than this.")
    ] = 35,
    accept_log_start: Annotated[
        bool, typer.Option(help="Begin where the topic begins now, whatever was deleted before.")
    ] = False,
) -> None:
    """Create topic, tables and metering rules, and load the catalogue; safe to run again."""
    from schemas.metering_rules import DAY_MS, MeteringRules
    from services.platform.catalogue import read_catalogue
    from services.platform.migrate import TopicPlan
    from services.platform.migrate import migrate as run
    from services.platform.settings import (
        CatalogueSettings,
        ClickHouseSettings,
        KafkaSettings,
        read_settings,
    )

    plan = TopicPlan(
        partitions, replication_factor, retention_days * DAY_MS, accept_log_start=accept_log_start
    )
    rules = MeteringRules(too_old_ms=max_event_age_days * DAY_MS)
    catalogue = read_catalogue(read_settings(CatalogueSettings).catalogue_dir)
    kafka, clickhouse = read_settings(KafkaSettings), read_settings(ClickHouseSettings)
    run(kafka, clickhouse, plan, rules, catalogue, say)


@app.command()
def grants(
    principal_prefix: Annotated[
        str, typer.Option(help="What the users' names begin with, before ingest, aggregator, ….")
    ] = "",
    topics_prefix: Annotated[
        str, typer.Option(help="Grant for all topics that begin so, for those still to be made.")
    ] = "",
) -> None:
    """Print the commands that give each service the least it needs in a Kafka with ACLs."""
    from services.aggregator.settings import AggregatorSettings
    from services.platform.kafka_grants import acl_commands
    from services.platform.kafka_grants import grants as grants_of
    from services.platform.settings import read_settings

    settings = read_settings(AggregatorSettings)
    given = grants_of(settings, settings.aggregator_group, topics_prefix)
    for line in acl_commands(given, principal_prefix, settings.kafka_bootstrap_servers):
        say(line)


@app.command()
def ingest() -> None:
    """Run the ingest service: HTTP in, Kafka out."""
    from services.ingest.app import run

    run()


@app.command()
def aggregator() -> None:
    """Run the aggregator: a Faust worker from Kafka to ClickHouse."""
    from services.aggregator.worker import run

    run()


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


@app.command("accept-restore")
def accept_restore() -> None:
    """After a ClickHouse backup was restored: let the workers resume from its checkpoints."""
    from services.aggregator.restore import accept_restore as run
    from services.aggregator.settings import AggregatorSettings
    from services.platform.settings import read_settings

    run(read_settings(AggregatorSettings), say)


@app.command()
def exporter(
    max_series: Annotated[
        int | None,
        typer.Option(min=1, help="Most label sets shown by name; the rest are summed."),
    ] = None,
) -> None:
    """Run the exporter: Prometheus metrics from ClickHouse."""
    from services.exporter.app import run

    run(max_series=max_series)


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
) -> None:
    """Run the whole stack on this machine: broker, ClickHouse, Prometheus and the services."""
    from deploy.local.up import run

    run(broker=broker, state_dir=state_dir, keep_data=keep_data, partitions=partitions)


@app.command()
def doctor(
    fetch: Annotated[bool, typer.Option(help="Fetch now what is fetched on first use.")] = False,
    as_json: Json = False,
) -> None:
    """Check what the local stack needs on this machine and say what to do."""
    from deploy.local.doctor import run

    run(fetch=fetch, as_json=as_json)


@app.command("init-secrets")
def init_secrets(
    folder: Annotated[Path, typer.Argument(help="One subfolder is made for each consumer.")],
) -> None:
    """Make the passwords and first API keys of the container set-up; safe to run again."""
    from deploy.docker.first_secrets import make_first_secrets

    make_first_secrets(folder, say)


@app.command()
def healthcheck(
    url: Annotated[str, typer.Argument(help="Address of /healthz or /readyz.")],
) -> None:
    """Exit 0 if the address answers 200; for health checks of containers."""
    from deploy.docker.health_probe import probe

    probe(url)


@app.command()
def simulate(
    rate: Annotated[float, typer.Option(min=0.001, help="New events a second.")] = 1000.0,
    duration: Annotated[float, typer.Option(min=0.001, help="Seconds.")] = 30.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same readings.")] = 1,
    via: Annotated[Via, typer.Option(help="Through ingest, or straight onto the topic.")] = "kafka",
    fast: Annotated[bool, typer.Option(help="As fast as it goes, event times just past.")] = False,
    gateways: Annotated[int, typer.Option(min=1, help="Gateways that report.")] = 28,
    duplicates: Annotated[float, Ratio] = 0.02,
    disorder: Annotated[float, Ratio] = 0.05,
    late: Annotated[float, Ratio] = 0.01,
    poison: Annotated[float, Ratio] = 0.001,
    too_old: Annotated[float, Ratio] = 0.0002,
    too_new: Annotated[float, Ratio] = 0.0002,
    adjustments: Annotated[float, Ratio] = 0.0,
    url: IngestUrl = "http://127.0.0.1:8080",
    ca_file: IngestCa = None,
    key: ApiKey = None,
    tenant: KeyTenant = None,
    keys: ApiKeys = None,
    ledger: LedgerPath = None,
    scenario: Annotated[
        Scenario | None,
        typer.Option(
            help="Instead of a fleet, backfill the weeks in which Chinese models overtook the US's;"
            " of the options above, only --seed and the way there count."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="A scenario's last Sunday; default 2026-03-15."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a simulated fleet of gateways, and keep a ledger of what it sent."""
    from services.simulator import commands
    from services.simulator.delivery import now_ms
    from services.simulator.fleet import FleetPlan, Ratios

    if scenario == "token-era":
        if ledger is not None:
            raise ConfigurationError(
                "a scenario keeps no ledger: an audit compares minutes, and its events are too old"
                " to be metered by the minute"
            )
        way = commands.route(via, url, key, keys, tenant, ca_file)
        day = until.date() if until else None
        commands.simulate_token_era(way, seed=seed, until=day, as_json=as_json)
        return
    ratios = Ratios(duplicates, disorder, late, poison, too_old, too_new, adjustments)
    plan = FleetPlan(seed, now_ms(), rate, duration, gateways, ratios=ratios)
    way = commands.route(via, url, key, keys, tenant, ca_file)
    commands.simulate(plan, way, ledger, paced=not fast, as_json=as_json)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV: TIMESTAMP, ContextTokens, GeneratedTokens.")],
    via: Annotated[Via, typer.Option(help="Through ingest, or straight onto the topic.")] = "kafka",
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Times real time; as fast as it goes if not given."),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Name of an earlier run: the same events once more.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whom to meter; over HTTP, the key's.")] = "trace",
    region: Annotated[str, typer.Option(help="Where the tokens were served.")] = "trace",
    provider: Annotated[str, typer.Option(help="Who served them.")] = "trace",
    model: Annotated[
        str | None, typer.Option(help="Which model answered; default: the file's name.")
    ] = None,
    url: IngestUrl = "http://127.0.0.1:8080",
    ca_file: IngestCa = None,
    key: ApiKey = None,
    ledger: LedgerPath = None,
    as_json: Json = False,
) -> None:
    """Replay a request trace as usage events, its last request moved to now."""
    from services.simulator import commands
    from services.simulator.trace import Labels

    way = commands.route(via, url, key, None, tenant, ca_file)
    labels = Labels(tenant, region, provider, model or file.stem)
    commands.replay(file, way, labels, ledger, run_id=run_id, speed=speed, as_json=as_json)


MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


@app.command()
def audit(
    ledger: Annotated[
        Path | None,
        typer.Option(help="Compare with what was sent, as `simulate` recorded it."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without progress of the aggregator to give up.")
    ] = 120.0,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=MOMENTS, help="Recount event times from here on, UTC."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=MOMENTS, help="And before this.")
    ] = None,
    last: Annotated[
        str | None, typer.Option(help="Recount a span that ends now, such as 90m, 1h or 2d.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove what is metered, while it runs; exit 1 if anything differs.

    Without a ledger the log is counted again: every offset is accounted for, counts add up,
    families agree, and each row of the views is what the log says. With one, every register, minute
    and hour must be what was sent.
    """
    if ledger is not None:
        from services.simulator.commands import run_audit

        if since or until or last:
            raise ConfigurationError("--from, --to and --last are of an audit without --ledger")
        exact = run_audit(ledger, timeout_seconds=timeout, as_json=as_json)
    else:
        from services.audit.commands import run_live_audit

        exact = run_live_audit(since, until, last, as_json=as_json)
    if not exact:
        raise typer.Exit(1)


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
    from deploy.local.demo import run

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


letters = typer.Typer(help="Records that were refused: list, show, requeue.", no_args_is_help=True)
app.add_typer(letters, name="dead-letters")


@letters.command("list")
def list_dead_letters(
    reason: LetterReason = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest.")] = 10,
    as_json: Json = False,
) -> None:
    """Count dead letters by reason and show the newest."""
    from services.simulator.commands import list_dead_letters as run
    from services.simulator.dead_letters import Selection

    run(Selection(reason), limit, as_json=as_json)


@letters.command("show")
def show_dead_letter(partition: int, offset: int, as_json: Json = False) -> None:
    """Show one dead letter whole, by its place on the log."""
    from services.simulator.commands import show_dead_letter as run

    run(partition, offset, as_json=as_json)


@letters.command("requeue")
def requeue_dead_letters(
    reason: LetterReason = None,
    partition: Annotated[int | None, typer.Option(help="Only from this partition.")] = None,
    offset: Annotated[int | None, typer.Option(help="Only from this offset.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put dead letters back onto the topic, after what refused them was mended.

    What would be refused again is left. Doing it twice counts nothing twice within 24 hours.
    """
    from services.simulator.commands import requeue_dead_letters as run
    from services.simulator.dead_letters import Selection

    run(Selection(reason, partition, offset), confirmed=yes)


KeysFile = Annotated[
    Path, typer.Option(envvar="WATTOKEN_INGEST_KEYS_FILE", help="Where the keys are.")
]

rejected = typer.Typer(help="What ingest refused: list, show, requeue.", no_args_is_help=True)
app.add_typer(rejected, name="rejected")

RejectedKey = Annotated[
    str | None, typer.Option("--key", help="Only those of this API key, by its id.")
]
RejectedTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's.")]


@rejected.command("list")
def list_rejected(
    reason: LetterReason = None,
    key_id: RejectedKey = None,
    tenant: RejectedTenant = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest.")] = 10,
    as_json: Json = False,
) -> None:
    """Count what ingest refused and kept, by reason, and show the newest."""
    from services.rejected.commands import list_rejected as run
    from services.rejected.reading import Selection

    run(Selection(reason, key_id, tenant), limit, as_json=as_json)


@rejected.command("show")
def show_rejected(partition: int, offset: int, as_json: Json = False) -> None:
    """Show one rejection whole, by its place on the topic; its payload is redacted."""
    from services.rejected.commands import show_rejected as run
    from services.rejected.reading import Place

    run(Place(partition, offset), as_json=as_json)


@rejected.command("requeue")
def requeue_rejected(
    keys_file: KeysFile,
    reason: LetterReason = None,
    key_id: RejectedKey = None,
    tenant: RejectedTenant = None,
    partition: Annotated[int, typer.Option(help="With --offset: only this one.")] = 0,
    offset: Annotated[int | None, typer.Option(help="Only the one at this offset.")] = None,
    as_key: Annotated[
        str | None, typer.Option(help="Read them as this key's, by its id: the old one is gone.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Meter what ingest refused, after what stood in its way was mended.

    What would be refused again is left, and what was put back before. If its sender sent it again
    too, it counts once within 24 hours.
    """
    from services.rejected.commands import requeue_rejected as run
    from services.rejected.reading import Place, Selection

    place = None if offset is None else Place(partition, offset)
    run(Selection(reason, key_id, tenant, place), keys_file, as_key, confirmed=yes)


keys = typer.Typer(help="API keys: create, list, revoke, rotate.", no_args_is_help=True)
app.add_typer(keys, name="keys")

PepperFile = Annotated[
    Path, typer.Option(envvar="WATTOKEN_INGEST_PEPPER_FILE", help="What they are hashed under.")
]


@keys.command("create")
def create_key(
    tenant: Annotated[
        list[str], typer.Option(help="The customer it meters; more for the events to choose from.")
    ],
    region: Annotated[
        list[str], typer.Option(help="Where tokens are served; more for the events to choose from.")
    ],
    keys_file: KeysFile,
    pepper_file: PepperFile,
    any_region: Annotated[
        bool, typer.Option("--any-region", help="Let an event name any region.")
    ] = False,
    provider: Annotated[
        str | None, typer.Option(help="Who serves the tokens if an event says nothing.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: ingest, read, adjust (debit and credit); the first two if not"
            " given."
        ),
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0, help="Never if not given.")
    ] = None,
    events_per_second: Annotated[float | None, typer.Option(min=0.001)] = None,
    bytes_per_second: Annotated[float | None, typer.Option(min=1)] = None,
    models_max: Annotated[int | None, typer.Option(min=1, help="Distinct ones in a day.")] = None,
    regions_max: Annotated[int | None, typer.Option(min=1, help="Distinct ones in a day.")] = None,
    providers_max: Annotated[
        int | None, typer.Option(min=1, help="Distinct ones in a day.")
    ] = None,
    series_max: Annotated[
        int | None,
        typer.Option(min=1, help="Combinations of region, provider and model in a day."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Who has it, in your words.")] = None,
    as_json: Json = False,
) -> None:
    """Make an API key for a gateway and print it, once; makes the files where there are none.

    Ingest knows the key within a second or so, without a restart.
    """
    from services.ingest.keys import commands
    from services.ingest.keys.entry import DEFAULT_SCOPES

    limits = {
        **{"events_per_second": events_per_second, "bytes_per_second": bytes_per_second},
        **{"models_max": models_max, "regions_max": regions_max, "providers_max": providers_max},
        "series_max": series_max,
    }
    grant = commands.Grant(
        *(tenant, region, any_region, provider),
        *(scope or [*DEFAULT_SCOPES], expires_in_days, limits, note),
    )
    commands.create(keys_file, pepper_file, grant, as_json=as_json)


@keys.command("list")
def list_keys(keys_file: KeysFile, pepper_file: PepperFile, as_json: Json = False) -> None:
    """Show what each API key stands for; its secret is stored nowhere."""
    from services.ingest.keys import commands

    commands.show(keys_file, pepper_file, as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between the two underscores.")],
    keys_file: KeysFile,
    pepper_file: PepperFile,
) -> None:
    """Refuse an API key from now on; its holder gets 403 with the reason."""
    from services.ingest.keys import commands

    commands.revoke(keys_file, pepper_file, key_id)


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(help="The part between the two underscores.")],
    keys_file: KeysFile,
    pepper_file: PepperFile,
    grace_hours: Annotated[
        float, typer.Option(min=0, help="How long the old key works beside the new one.")
    ] = 24.0,
    as_json: Json = False,
) -> None:
    """Make a new API key that stands for the same and print it, once; the old one runs out."""
    from services.ingest.keys import commands

    commands.rotate(keys_file, pepper_file, key_id, grace_hours, as_json=as_json)


tariffs = typer.Typer(help="The prices: check, list, show.", no_args_is_help=True)
app.add_typer(tariffs, name="tariffs")


@tariffs.command("check")
def check_tariffs(as_json: Json = False) -> None:
    """Find gaps, overlaps and models without a price; exit 1 if there are errors."""
    from services.billing.commands import check_tariffs as run

    if not run(as_json=as_json):
        raise typer.Exit(1)


@tariffs.command("list")
def list_tariffs(
    model: Annotated[str | None, typer.Option(help="Only those that fit this model.")] = None,
    as_json: Json = False,
) -> None:
    """List the tariffs of the catalogue."""
    from services.billing.commands import list_tariffs as run

    run(model, as_json=as_json)


@tariffs.command("show")
def show_tariff(tariff: str, as_json: Json = False) -> None:
    """Show one tariff: every price, when it holds, and where it is from."""
    from services.billing.commands import show_tariff as run

    run(tariff, as_json=as_json)


gateways = typer.Typer(
    help="What gateways send: numbers that nobody knows, and how each is classed.",
    no_args_is_help=True,
)
app.add_typer(gateways, name="gateways")


@gateways.command("unread")
def list_unread(
    url: Annotated[list[str] | None, typer.Option(help="An ingest; may be given often.")] = None,
    as_json: Json = False,
) -> None:
    """List numbers in usage objects that ingest met and that no register knows."""
    from services.ingest.unread_report import show_unread

    show_unread(url or ["http://127.0.0.1:8080"], as_json=as_json)


@gateways.command("fields")
def list_fields(
    usage_format: Annotated[
        str | None, typer.Argument(help="A usage_format; all where none is given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List every field of usage objects that is known, and its class."""
    from services.ingest.unread_report import show_fields

    show_fields(usage_format, as_json=as_json)


@app.command()
def statement(
    tenant: Annotated[str, typer.Argument(help="The customer.")],
    period: Annotated[str, typer.Argument(help="The month (UTC), such as 2026-11.")],
    html: Annotated[Path | None, typer.Option(help="Write the bill as an HTML page.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the bill as a PDF.")] = None,
    as_json: Json = False,
) -> None:
    """Print what a tenant used and owes for a month, to the last digit."""
    from services.billing.commands import show_statement

    show_statement(tenant, period, as_json=as_json, html=html, pdf=pdf)


def main() -> Any:
    """Entry point: our errors become one line on stderr and exit code 1."""
    try:
        return app()
    except WattokenError as error:
        say(f"wattoken: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
