"""What Kafka and the database each know of a chain of logs, brought together by `wattoken migrate`.

Both have it for a reason: producers have no right to the database, and workers go by what stands
beside the checkpoints. A database that is new or was restored lacks what came since; a topic of
successions that was deleted lacks all.
"""

from __future__ import annotations

from collections.abc import Callable

from clickhouse_connect.driver.client import Client

from services.platform.clickhouse import all_rows
from services.platform.errors import ConfigurationError
from services.platform.kafka_log import Log
from services.platform.settings import KafkaSettings
from services.platform.succession import Succession, chain_of, first_of_each
from services.platform.succession_table import read_successions, write_succession
from services.platform.succession_topic import announce, read_announced


def sync_successions(
    kafka: KafkaSettings, client: Client, cluster_id: str, report: Callable[[str], None]
) -> list[Succession]:
    """Tell each of the two what only the other knows; give the chain that the topic stands in.

    Raises `UnavailableError` and `ConfigurationError`.
    """
    announced = read_announced(kafka)
    stored = [one for one in read_successions(client) if one.cluster_id == cluster_id]
    chain = chain_of(first_of_each([*announced, *stored]), kafka.kafka_topic)
    for one in chain:
        if one.complete and one not in stored:
            write_succession(client, one)
            report(f"succession of {one.predecessor_topic} by {one.topic}: stored")
        if one.complete and one not in announced:
            announce(kafka, one)
            report(f"succession of {one.predecessor_topic} by {one.topic}: announced")
    return chain


def refuse_added_partitions(client: Client, log: Log) -> None:
    """Raise `ConfigurationError` where a topic has more partitions than its log began with.

    What was sent before lies elsewhere than what is sent again, so the new ones cannot be metered.
    """
    for table in ("log_partitions", "metering_rules"):
        ((known,),) = all_rows(
            client,
            f"SELECT uniqExact(partition) FROM {table} WHERE log = {{log:String}}",
            {"log": log.name},
        )
        if 0 < known < log.partitions:
            raise ConfigurationError(
                f"topic {log.topic} was made with {known} partitions and has {log.partitions}: keys"
                " go elsewhere by now, so what is sent again would count again. Run `wattoken"
                f" succeed --topic NEW --partitions {log.partitions}`, which loses nothing:"
                " docs/runbook.md, 'Partitions were added'"
            )
