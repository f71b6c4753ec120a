"""Creates and updates what the services need: topic, tables, metering rules and the catalogue.

Idempotent, and safe to run from two places at once: every statement says IF NOT EXISTS or OR
REPLACE, and rules are only written where a partition has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar, cast

from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType

from schemas.catalogue import Catalogue
from schemas.metering_rules import DAY_MS, MeteringRules
from services.platform.catalogue import store_catalogue
from services.platform.clickhouse import all_rows, connect, mapped_errors
from services.platform.cluster import (
    ClusterPlan,
    answer_seconds,
    cluster_of_database,
    servers_of,
    tell,
)
from services.platform.cluster_ddl import Cluster
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.kafka import (
    ADMIN_TIMEOUT_SECONDS,
    ExplainingAdmin,
    admin_client,
    create_topic,
    describe_log,
    require_kafka,
)
from services.platform.kafka_log import Log
from services.platform.kafka_questions import KafkaQuestions
from services.platform.log_beginning import ensure_beginnings
from services.platform.rules_table import ensure_rules, ensure_thresholds
from services.platform.schema_state import (
    APPLIED,
    MIGRATIONS,
    checksum,
    require_clickhouse,
)
from services.platform.settings import ClickHouseSettings, KafkaSettings
from services.platform.succession import Succession
from services.platform.succession_sync import refuse_added_partitions, sync_successions
from services.platform.succession_topic import ensure_succession_topic
from services.platform.supported import check_clickhouse

Report = Callable[[str], None]
T = TypeVar("T")
#: How long brokers may take to hear of a topic that was just made.
HEARD_SECONDS = 15.0
HEARD_POLL_SECONDS = 0.2
#: How long another place that migrates as well may take for one migration.
OTHER_PLACE_SECONDS = 5.0
#: How long and how much of what ingest refused is kept, in one partition.
REJECTED_RETENTION_MS = 14 * DAY_MS
APPLIED_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_migrations (name String, checksum String,"
    " applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'))"
    " ENGINE = ReplacingMergeTree ORDER BY (name, checksum)"
)
REJECTED_CONFIG = {"retention.bytes": str(1024**3), "segment.bytes": str(1024**3 // 16)}


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How the topic is made where it does not exist yet."""

    partitions: int = 12
    replication_factor: int = 1
    #: Must exceed backup interval + dedup horizon (docs/runbook.md, "Restoring a backup").
    retention_ms: int = 7 * DAY_MS
    #: Of a topic that exists: begin where it begins now, whatever was deleted before.
    accept_log_start: bool = False


def migrate(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    plan: TopicPlan,
    rules: MeteringRules,
    catalogue: Catalogue,
    report: Report,
    shards: ClusterPlan | None = None,
) -> Log:
    """Bring Kafka and ClickHouse to what this version needs; ``report`` gets a line per step.

    With ``shards`` the tables are those of a cluster, on all its servers.

    Where the topic was succeeded by others, that goes for all of the chain that still exist, and
    none is made. Returns the newest. Raises `ConfigurationError` when what exists contradicts the
    plan, `UnavailableError` when Kafka or ClickHouse does not answer.
    """
    require_kafka(kafka)
    require_clickhouse(clickhouse)
    admin = admin_client(kafka)
    cluster = cluster_of_database(clickhouse, shards)
    for server in servers_of(clickhouse, shards):
        migrate_tables(server, report, cluster)
        store_catalogue(server, catalogue, report, cluster)
    made = ensure_succession_topic(admin, kafka.kafka_successions_topic, plan.replication_factor)
    report(f"topic {kafka.kafka_successions_topic}: {'created' if made else 'exists'}")
    rejected = replace(plan, partitions=1, retention_ms=REJECTED_RETENTION_MS)
    ensure_topic(admin, kafka.kafka_rejected_topic, rejected, report, REJECTED_CONFIG)
    if rules.too_old_ms != MeteringRules().too_old_ms:
        report(
            "ingest: set WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS="
            f"{rules.too_old_ms / DAY_MS:g}, or it refuses what the rules let through"
        )
    client = connect(clickhouse)
    try:
        chain = sync_successions(kafka, client, cluster_of(kafka), report)
        for succession in chain:
            ensure_ended(kafka, client, succession, plan, rules, report)
        topic = chain[-1].topic if chain else kafka.kafka_topic
        if not chain:
            ensure_topic(admin, topic, plan, report)
        log = describe_made(admin, topic)
        ensure_log(kafka, client, log, plan, rules, report)
    finally:
        client.close()
    return log


def ensure_ended(
    kafka: KafkaSettings,
    client: Client,
    succession: Succession,
    plan: TopicPlan,
    rules: MeteringRules,
    report: Report,
) -> None:
    """See to a log that was succeeded, as long as its topic exists."""
    topic = succession.predecessor_topic
    try:
        log = describe_log(admin_client(kafka), topic)
    except ConfigurationError:
        report(f"topic {topic}: was succeeded by {succession.topic} and is gone")
        return
    if log.name != succession.predecessor_log:
        report(f"topic {topic}: was succeeded by {succession.topic} and recreated since")
        return
    if succession.ends is not None:
        # What was added to it after its end is no part of it.
        log = replace(log, partitions=len(succession.ends))
    ensure_log(kafka, client, log, plan, rules, report)


def ensure_log(
    kafka: KafkaSettings,
    client: Client,
    log: Log,
    plan: TopicPlan,
    rules: MeteringRules,
    report: Report,
) -> None:
    """Store where the log begins and by which rules it is metered, where that is not said yet."""
    refuse_added_partitions(client, log)
    starts = log_starts(kafka, log)
    ensure_beginnings(client, log, starts, report, accept_log_start=plan.accept_log_start)
    ensure_rules(client, log, rules, report)
    ensure_thresholds(client, log, rules, lambda: log_ends(kafka, log), report)


def ensure_topic(
    admin: ExplainingAdmin,
    topic: str,
    plan: TopicPlan,
    report: Report,
    config: Mapping[str, str] | None = None,
) -> None:
    """Create the topic where there is none, as `make_topic` does; check the one that is there."""
    if make_topic(admin, topic, plan, config):
        report(f"topic {topic}: created with {plan.partitions} partitions")
    else:
        check_topic(admin, topic)
        report(f"topic {topic}: exists")


def make_topic(
    admin: ExplainingAdmin, topic: str, plan: TopicPlan, config: Mapping[str, str] | None = None
) -> bool:
    """Create the topic where there is none and say whether it was created.

    ``config`` goes before the plan's, not before what a topic of events must have. Raises
    `UnavailableError` when the broker does not do it.
    """
    new = NewTopic(
        topic,
        num_partitions=plan.partitions,
        replication_factor=plan.replication_factor,
        config={
            "retention.ms": str(plan.retention_ms),
            "min.insync.replicas": str(max(1, plan.replication_factor - 1)),
            **(config or {}),
            # With CreateTime, retention would delete a fresh event that bears an old time.
            "message.timestamp.type": "LogAppendTime",
            "cleanup.policy": "delete",
        },
    )
    return create_topic(admin, new)


def describe_made(admin: ExplainingAdmin, topic: str) -> Log:
    """Describe a topic that exists: the broker asked may not have heard of a new one yet.

    Raises what `describe_log` raises.
    """
    deadline = time.monotonic() + HEARD_SECONDS
    while True:
        try:
            return describe_log(admin, topic)
        except ConfigurationError:
            if time.monotonic() > deadline:
                raise
        time.sleep(HEARD_POLL_SECONDS)


def cluster_of(kafka: KafkaSettings) -> str:
    """Ask for the cluster's id. Raises `UnavailableError`."""
    return answered(kafka, KafkaQuestions.cluster_id)


def log_starts(kafka: KafkaSettings, log: Log) -> dict[int, int]:
    """Ask for the first offset that each partition holds. Raises `UnavailableError`.

    Partitions that were just made may have no leader yet.
    """
    return answered(kafka, lambda questions: questions.starts(log.topic, range(log.partitions)))


def log_ends(kafka: KafkaSettings, log: Log) -> dict[int, int]:
    """Ask where each partition ends. Raises `UnavailableError`."""
    return answered(kafka, lambda questions: questions.ends(log.topic, range(log.partitions)))


def answered(kafka: KafkaSettings, question: Callable[[KafkaQuestions], T]) -> T:
    """Ask twice at least, and for a while: a cluster that has just begun is not there at once.

    Raises `UnavailableError` when it does not answer then.
    """
    questions = KafkaQuestions(kafka)
    deadline = time.monotonic() + HEARD_SECONDS
    asked = 0
    try:
        while True:
            asked += 1
            try:
                return question(questions)
            except UnavailableError:
                if asked > 1 and time.monotonic() > deadline:
                    raise
            time.sleep(HEARD_POLL_SECONDS)
    finally:
        questions.close()


def check_topic(admin: ExplainingAdmin, topic: str) -> None:
    """Refuse a topic whose records do not bear the append time."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    deadline = time.monotonic() + HEARD_SECONDS
    while True:
        try:
            config = admin.describe_configs([resource], request_timeout=ADMIN_TIMEOUT_SECONDS)[
                resource
            ].result()
            break
        except KafkaException as error:
            # Another place is just making it, and the broker asked has not heard of it yet.
            unheard = error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            if not unheard or time.monotonic() > deadline:
                raise UnavailableError(
                    f"cannot read the configuration of {topic}: {error}"
                ) from None
        time.sleep(HEARD_POLL_SECONDS)
    entry = config.get("message.timestamp.type")
    if entry is not None and entry.value != "LogAppendTime":
        raise ConfigurationError(
            f"topic {topic} has message.timestamp.type={entry.value}: set it to LogAppendTime"
            f" (kafka-configs.sh --alter --topic {topic}"
            " --add-config message.timestamp.type=LogAppendTime)"
        )


def migrate_tables(
    settings: ClickHouseSettings, report: Report, cluster: Cluster | None = None
) -> None:
    """Create the database and apply the migrations whose text is not the one last applied.

    After one that is applied, all later ones are applied too, known or not: they may make again
    what it just made as it was before them. Raises `ConfigurationError` on a ClickHouse that is too
    old.
    """
    database = settings.clickhouse_database
    client = connect(settings, database="default", answer_seconds=answer_seconds(cluster))
    try:
        if (remark := check_clickhouse(str(client.server_version))) is not None:
            report(remark)
        with mapped_errors():
            tell(client, f"CREATE DATABASE IF NOT EXISTS `{database}`", cluster)
    finally:
        client.close()
    client = connect(settings, answer_seconds=answer_seconds(cluster))
    try:
        applied = applied_texts(client, cluster)
        changed = False
        for path in sorted(MIGRATIONS.glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            changed = changed or applied.get(path.name) != checksum(text)
            if changed:
                apply_migration(client, path.name, text, cluster)
            report(f"migration {path.name}: {'applied' if changed else 'already applied'}")
    finally:
        client.close()


def applied_texts(client: Client, cluster: Cluster | None = None) -> dict[str, str]:
    """Read which text of each migration was last applied: name -> checksum."""
    with mapped_errors():
        tell(client, APPLIED_TABLE, cluster)
    return {str(name): str(last) for name, last in all_rows(client, APPLIED, {})}


def apply_migration(client: Client, name: str, text: str, cluster: Cluster | None = None) -> None:
    """Run all statements of a migration, and record its text.

    It may be migrated from another place meanwhile. One that is ahead may have made what a
    statement does not fit any more: then this one is in, and the later ones are applied here as
    well. One that is behind may just have made again, as it was before, what a statement needs:
    then it is tried until that place has come as far, or goes on no more.
    """
    while True:
        before = last_applied(client)
        try:
            with mapped_errors():
                for statement in statements(text):
                    tell(client, statement, cluster)
            break
        except ConfigurationError:
            if applied_texts(client, cluster).get(name) == checksum(text):
                break
            if not is_migrated_elsewhere(client, before):
                raise
    with mapped_errors():
        client.insert(
            "schema_migrations", [[name, checksum(text)]], column_names=["name", "checksum"]
        )


def cluster_tables(cluster: Cluster | None) -> Iterator[str]:
    """Every statement that makes a cluster's tables and views, in this order.

    Raises `ConfigurationError` where there is no cluster.
    """
    if cluster is None:
        raise ConfigurationError("name the cluster whose tables are wanted: --cluster NAME")
    texts = [f"CREATE DATABASE IF NOT EXISTS `{cluster.database}`", APPLIED_TABLE]
    for path in sorted(MIGRATIONS.glob("*.sql")):
        texts += statements(path.read_text(encoding="utf-8"))
    for text in texts:
        yield from cluster.statements(text)


def last_applied(client: Client) -> datetime:
    """When a migration was last applied, from wherever."""
    ((at,),) = all_rows(client, "SELECT max(applied_at) FROM schema_migrations", {})
    return cast("datetime", at)


def is_migrated_elsewhere(client: Client, since: datetime) -> bool:
    """Whether another place applies migrations: waits a while for the next that it applies."""
    deadline = time.monotonic() + OTHER_PLACE_SECONDS
    while last_applied(client) == since:
        if time.monotonic() > deadline:
            return False
        time.sleep(HEARD_POLL_SECONDS)
    return True


def statements(text: str) -> Iterator[str]:
    """Split a migration into its statements; a semicolon at a line's end closes one."""
    for part in text.split(";\n"):
        lines = [line for line in part.splitlines() if not line.lstrip().startswith("--")]
        if any(line.strip() for line in lines):
            yield part
