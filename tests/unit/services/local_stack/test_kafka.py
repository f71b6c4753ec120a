"""The broker's configuration, as Kafka reads it."""

from __future__ import annotations

from pathlib import Path

from services.local_stack.jar_lock import locked_pom, read_lock, sha256_of
from services.local_stack.kafka import (
    JARS,
    POM,
    Node,
    kafka_version,
    node_properties,
    server_properties,
)


def properties() -> dict[str, str]:
    lines = server_properties(Path("/data"), port=1111, controller_port=2222).splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_the_version_is_the_one_of_the_pom() -> None:
    major, minor, _ = kafka_version().split(".")
    assert (int(major), int(minor)) >= (4, 1)


def test_the_lock_is_of_this_pom_and_has_its_broker() -> None:
    assert locked_pom(JARS) == sha256_of(POM), "pom.xml was changed: run `make locks`"
    assert f"org.apache.kafka:kafka_2.13:{kafka_version()}" in {
        jar.coordinates for jar in read_lock(JARS)
    }


def test_it_listens_on_loopback_only() -> None:
    addresses = properties()["listeners"] + "," + properties()["advertised.listeners"]
    hosts = {address.rpartition("/")[2].partition(":")[0] for address in addresses.split(",")}
    assert hosts == {"127.0.0.1"}


def test_a_misspelt_topic_is_not_created() -> None:
    assert properties()["auto.create.topics.enable"] == "false"


def test_one_broker_is_enough_for_its_internal_topics() -> None:
    replicas = {
        value for name, value in properties().items() if name.endswith("replication.factor")
    }
    assert replicas == {"1"}


def test_of_three_brokers_two_must_have_what_is_acknowledged() -> None:
    nodes = [Node(number, 1000 + number, 2000 + number) for number in (1, 2, 3)]
    lines = node_properties(Path("/data"), nodes[1], nodes, session_ms=9000).splitlines()
    said = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert said["node.id"] == "2"
    assert said["broker.session.timeout.ms"] == "9000"
    assert said["listeners"] == "PLAINTEXT://127.0.0.1:1002,CONTROLLER://127.0.0.1:2002"
    voters = "1@127.0.0.1:2001,2@127.0.0.1:2002,3@127.0.0.1:2003"
    assert said["controller.quorum.voters"] == voters
    replicas = {value for name, value in said.items() if name.endswith("replication.factor")}
    assert replicas == {"3"}
    in_sync = {value for name, value in said.items() if "min.i" in name}
    assert in_sync == {"2"}
