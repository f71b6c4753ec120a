"""Kafka by Strimzi, ClickHouse by its operator (deploy/kubernetes): what our services need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import NewTopic

from services.platform import migrate as platform_migrate
from services.platform import succession_topic
from services.platform.kafka_grants import grants
from services.platform.migrate import REJECTED_CONFIG, REJECTED_RETENTION_MS, TopicPlan
from services.platform.settings import KafkaSettings
from tests.contract.compose_file import ROOT, theirs
from tests.helm.chart import MANIFESTS, Chart, Checker, Object, objects_of, of_size, pods, walk

FILES = sorted(MANIFESTS.glob("*.yaml"))


def manifests(name: str) -> list[Object]:
    return objects_of((MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8"))


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def test_all_of_them_are_looked_at() -> None:
    assert {path.stem for path in FILES} == {"kafka", "kafka-laptop", "clickhouse"}


@pytest.mark.parametrize("name", ["kafka", "kafka-laptop"])
def test_strimzi_takes_it(programs: Path, strimzi_schemas: tuple[Path, ...], name: str) -> None:
    checker = Checker(programs / "checker", strimzi_schemas)
    text = (MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8")
    assert checker.problems(text) == []
    for old, new in (("replicas:", "replica:"), ("type: jbod", "type: raid")):
        assert checker.problems(text.replace(old, new)), new


def test_kubernetes_takes_the_policy_before_clickhouse(checker: Checker) -> None:
    """The installation itself has no schema here: no registry serves the operator's."""
    (policy,) = [one for one in manifests("clickhouse") if one["kind"] == "NetworkPolicy"]
    assert checker.problems(yaml.safe_dump(policy)) == []


def test_clickhouse_s_pod_takes_what_kubernetes_takes(checker: Checker) -> None:
    """Its template, in a Pod's place: strictly decoded, validated, and "restricted"."""
    (installation,) = of_kind(manifests("clickhouse"), "ClickHouseInstallation").values()
    (pod,) = installation["spec"]["templates"]["podTemplates"]
    (claim,) = installation["spec"]["templates"]["volumeClaimTemplates"]
    labels = {"app": "clickhouse"}
    workload = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "clickhouse"},
        "spec": {
            "serviceName": "clickhouse",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod["spec"]},
            "volumeClaimTemplates": [{"metadata": {"name": claim["name"]}, "spec": claim["spec"]}],
        },
    }
    assert checker.problems(yaml.safe_dump(workload)) == []


def test_clickhouse_s_users_are_those_of_users_xml() -> None:
    """What each may do is tested on a real server, with that file."""
    (installation,) = of_kind(manifests("clickhouse"), "ClickHouseInstallation").values()
    files = installation["spec"]["configuration"]["files"]
    users = (ROOT / "deploy/docker/clickhouse/users.xml").read_text(encoding="utf-8")
    assert files == {"users.d/wattoken.xml": users}, "copy deploy/docker/clickhouse/users.xml"


def test_clickhouse_reads_the_hashes_where_users_xml_looks_for_them() -> None:
    (installation,) = of_kind(manifests("clickhouse"), "ClickHouseInstallation").values()
    templates = installation["spec"]["templates"]
    used = installation["spec"]["defaults"]["templates"]
    (pod,) = templates["podTemplates"]
    (claim,) = templates["volumeClaimTemplates"]
    assert used == {"podTemplate": pod["name"], "dataVolumeClaimTemplate": claim["name"]}
    (container,) = pod["spec"]["containers"]
    assert container["image"] == theirs()["clickhouse"]["image"]
    (mount,) = container["volumeMounts"]
    (volume,) = pod["spec"]["volumes"]
    users = (ROOT / "deploy/docker/clickhouse/users.xml").read_text(encoding="utf-8")
    assert f"<include_from>{mount['mountPath']}/clickhouse_passwords.xml</include_from>" in users
    assert mount["name"] == volume["name"]
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    secret = volume["secret"]["secretName"]
    assert f"create secret generic {secret}" in page
    # Our schema is not replicated: a second server would have other totals.
    (cluster,) = installation["spec"]["configuration"]["clusters"]
    assert cluster["layout"] == {"shardsCount": 1, "replicasCount": 1}


class NotesTopics:
    """Stands for the admin client: notes what would be made."""

    def __init__(self) -> None:
        self.made: list[NewTopic] = []


@pytest.fixture
def made_by_migrate(monkeypatch: pytest.MonkeyPatch) -> dict[str, NewTopic]:
    """The topics as `wattoken migrate --partitions 12 --replication-factor 3` makes them."""
    admin = NotesTopics()

    def note(given: Any, new: NewTopic) -> bool:
        given.made.append(new)
        return True

    monkeypatch.setattr(platform_migrate, "create_topic", note)
    monkeypatch.setattr(succession_topic, "create_topic", note)
    settings = KafkaSettings()
    plan = TopicPlan(partitions=12, replication_factor=3)
    rejected = TopicPlan(1, 3, REJECTED_RETENTION_MS)
    asked: Any = admin
    platform_migrate.make_topic(asked, settings.kafka_topic, plan)
    platform_migrate.make_topic(asked, settings.kafka_rejected_topic, rejected, REJECTED_CONFIG)
    succession_topic.ensure_succession_topic(asked, settings.kafka_successions_topic, 3)
    return {topic.topic: topic for topic in admin.made}


def test_topics_are_as_migrate_makes_them(made_by_migrate: dict[str, NewTopic]) -> None:
    topics = of_kind(manifests("kafka"), "KafkaTopic")
    assert topics.keys() == made_by_migrate.keys()
    for name, topic in topics.items():
        made = made_by_migrate[name]
        assert topic["spec"]["partitions"] == made.num_partitions
        assert topic["spec"]["replicas"] == made.replication_factor
        assert topic["spec"]["config"] == made.config


def test_users_may_what_wattoken_grants_prints_and_no_more() -> None:
    users = of_kind(manifests("kafka"), "KafkaUser")
    settings = KafkaSettings()
    wanted = grants(settings, "wattoken-aggregator")
    components = ("ingest", "aggregator", "exporter", "migrate")
    assert users.keys() == {f"wattoken-{component}" for component in components}
    for component in components:
        user = users[f"wattoken-{component}"]["spec"]
        assert user["authentication"] == {"type": "scram-sha-512"}
        given = {
            (
                acl["resource"]["type"],
                acl["resource"]["name"],
                acl["resource"].get("patternType", "literal") == "prefix",
                tuple(acl["operations"]),
            )
            for acl in user["authorization"]["acls"]
        }
        assert given == {
            (grant.resource, grant.name, grant.prefixed, grant.operations)
            for grant in wanted[component]
        }


def secrets_of(objects: list[Object]) -> set[str]:
    return {
        volume["secret"]["secretName"]
        for pod in pods(objects).values()
        for volume in pod["spec"]["volumes"]
        if "secret" in volume
    }


@pytest.mark.parametrize(("size", "kafka"), [("laptop", "kafka-laptop"), ("team", "kafka")])
def test_the_sizes_look_for_them_where_they_are(chart: Chart, size: str, kafka: str) -> None:
    values = of_size(size)
    found = manifests(kafka)
    (cluster,) = of_kind(found, "Kafka").values()
    (listener,) = cluster["spec"]["kafka"]["listeners"]
    # Strimzi's and the operator's names of Services.
    bootstrap = f"{cluster['metadata']['name']}-kafka-bootstrap:{listener['port']}"
    assert values["kafka"]["bootstrapServers"] == bootstrap
    (installation,) = of_kind(manifests("clickhouse"), "ClickHouseInstallation").values()
    assert values["clickhouse"]["host"] == f"clickhouse-{installation['metadata']['name']}"
    protocol = values["kafka"].get("securityProtocol", "PLAINTEXT")
    assert ("SSL" in protocol) is listener["tls"]
    assert ("SASL" in protocol) is ("authentication" in listener)
    for one in found:
        if one["kind"] != "Kafka":
            assert one["metadata"]["labels"]["strimzi.io/cluster"] == cluster["metadata"]["name"]
    # Each Secret is made by Strimzi, or by a command of the page.
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    of_strimzi = {*of_kind(found, "KafkaUser"), f"{cluster['metadata']['name']}-cluster-ca-cert"}
    for secret in secrets_of(chart.render(values)) - of_strimzi:
        assert f"create secret generic {secret}" in page, secret
    replicas = sum(pool["spec"]["replicas"] for pool in of_kind(found, "KafkaNodePool").values())
    assert values["topic"]["replicationFactor"] == replicas
    topics = of_kind(found, "KafkaTopic")
    if topics:
        assert topics["usage.events.v1"]["spec"]["partitions"] == values["topic"]["partitions"]


def test_the_page_says_how_each_secret_of_the_fleet_is_made(chart: Chart) -> None:
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    for secret in secrets_of(chart.render(of_size("fleet"))):
        assert f"`{secret}`" in page or f"create secret generic {secret}" in page, secret


def test_those_who_may_reach_them_are_our_pods(chart: Chart) -> None:
    everyone = [pod["metadata"]["labels"] for pod in pods(chart.render()).values()]
    selectors = [
        value["matchLabels"]
        for one in (*manifests("kafka"), *manifests("clickhouse"))
        for key, value in walk(one)
        if key == "podSelector"
    ]
    ours = [one for one in selectors if any(key.startswith("app.kubernetes.io") for key in one)]
    assert len(ours) == 2
    for selector in ours:
        assert all(selector.items() <= labels.items() for labels in everyone)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_says_what_it_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert all(yaml.safe_load_all(path.read_text(encoding="utf-8")))
