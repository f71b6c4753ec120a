"""What is printed for Kafka's own tool, and that no component is given another's work."""

from __future__ import annotations

from services.platform.kafka_grants import acl_commands, grants
from services.platform.settings import KafkaSettings


def operations(component: str, topic: str) -> set[str]:
    given = grants(KafkaSettings(), "workers")[component]
    return {one for grant in given if grant.name == topic for one in grant.operations}


def test_ingest_only_writes_events_and_the_aggregator_only_reads_them() -> None:
    assert operations("ingest", "usage.events.v1") == {"Write"}
    assert operations("aggregator", "usage.events.v1") == {"Read"}
    assert operations("exporter", "usage.events.v1") == {"Describe"}
    assert "Write" not in operations("ingest", "wattoken.successions")


def test_commands_name_each_grant_once() -> None:
    given = {"aggregator": grants(KafkaSettings(), "workers")["aggregator"]}
    start = (
        "kafka-acls.sh --bootstrap-server kafka:9093 --command-config admin.properties --add"
        " --allow-principal User:wattoken-aggregator --operation Read"
    )
    assert acl_commands(given, "wattoken-", "kafka:9093") == [
        f"{start} --topic usage.events.v1",
        f"{start} --topic wattoken.successions",
        f"{start} --group workers --resource-pattern-type prefixed",
    ]


def test_a_prefix_stands_for_topics_to_come() -> None:
    for given in grants(KafkaSettings(), "workers", "usage.events.").values():
        for grant in given:
            assert grant.prefixed or grant.name not in ("usage.events.v1", "usage.events.")
