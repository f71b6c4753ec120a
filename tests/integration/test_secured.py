"""Kafka with SASL_SSL, client certificates and ACLs, ClickHouse with TLS and users: all works.

And what is wrong in it is said in a line that names the address, the setting and the remedy.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from services.aggregator.kafka.predecessor_reader import PredecessorReader
from services.local_stack.errors import ComponentMissing
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import Child, ChildPlan
from services.local_stack.services import service_plan, wattoken_command
from services.local_stack.supervisor import Supervisor
from services.platform.errors import UnavailableError
from services.platform.kafka import client_config
from services.platform.kafka_grants import Grant, grants
from services.platform.kafka_questions import KafkaQuestions
from services.platform.kafka_reasons import GRANTS_REMEDY
from services.platform.settings import KafkaSettings, read_settings
from tests.integration.conftest import missing
from tests.secured.acls import give, take_all
from tests.secured.certificates import Authority
from tests.secured.clickhouse import SecuredClickHouse
from tests.secured.kafka import SecuredKafka
from tests.waiting import eventually

USERS = ("ingest", "aggregator", "exporter", "migrate", "doctor", "stranger")
GROUP = "wattoken-aggregator"
TOPIC = "usage.events.v1"
WAYS = ("PLAIN", "SCRAM-SHA-512", "certificate")

#: The whole pipeline goes one of the ways in `make test`; both clients go all of them.
OTHER_WAYS = {way: pytest.mark.nightly for way in WAYS if way != "SCRAM-SHA-512"}

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True, slots=True)
class Secured:
    """Both servers, and the certificates they trust."""

    folder: Path
    kafka: SecuredKafka
    clickhouse: SecuredClickHouse

    def env(self, component: str, way: str = "SCRAM-SHA-512", **over: str) -> dict[str, str]:
        """Settings of a component that comes to Kafka in one of the ways."""
        if way == "certificate":
            kafka = self.kafka.env_of_certificate(component)
        else:
            kafka = self.kafka.env(component, way)
        return {**kafka, **self.clickhouse.env(component), **over}

    def command(self, env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours to its end."""
        return subprocess.run(
            wattoken_command(*arguments),
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder / "ca")
    kafka = SecuredKafka(folder, authority, USERS)
    clickhouse = SecuredClickHouse(folder, authority)
    with Supervisor() as supervisor:
        try:
            plans = kafka.plan(), clickhouse.plan()
        except ComponentMissing as error:
            missing(error)
        for child in [supervisor.launch(plan) for plan in plans]:
            child.wait_ready()
        kafka.add_users()
        admin = kafka.admin()
        for component, wanted in grants(KafkaSettings(), GROUP).items():
            if component in USERS:
                give(admin, component, wanted)
        yield Secured(folder, kafka, clickhouse)
    kafka.give_back()
    clickhouse.give_back()


@pytest.fixture(scope="module")
def migrated(secured: Secured) -> Secured:
    """The topic and the tables, made by those that may make them."""
    done = secured.command(secured.env("migrate"), "migrate", "--partitions", "2")
    assert done.returncode == 0, done.stderr
    return secured


def plan(
    secured: Secured, component: str, env: Mapping[str, str], ready: bool = True
) -> tuple[ChildPlan, int]:
    """A component as a process with a folder and a port of its own, and the port."""
    port = pick_port()
    folder = secured.folder / f"{component}-{port}"
    state = {f"WATTOKEN_{component.upper()}_STATE_DIR": str(folder / "state")}
    made = service_plan(component, port, {**env, **state}, folder / "log", folder)
    return made if ready else replace(made, ready=lambda: True), port


@contextmanager
def running(plans: Sequence[tuple[ChildPlan, int]]) -> Iterator[list[Child]]:
    """Start them all at once, and end them."""
    with Supervisor() as supervisor:
        yield [supervisor.launch(one) for one, _ in plans]
    give_back(*(port for _, port in plans))


def keys_env(secured: Secured) -> dict[str, str]:
    folder = secured.folder / "secrets" / "ingest"
    return {
        "WATTOKEN_INGEST_KEYS_FILE": str(folder / "keys.yaml"),
        "WATTOKEN_INGEST_PEPPER_FILE": str(folder / "pepper"),
    }


def event(id: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        **{"id": id, "source": "gateway", "time": now, "provider": "openai", "model": "gpt-5"},
        **{"region": "eu-central", "input_tokens": 7, "output_tokens": 3},
    }


def registers(port: int) -> float:
    """All requests that an exporter shows."""
    text = httpx.get(f"http://{LOOPBACK}:{port}/metrics", trust_env=False, timeout=30).text
    lines = [line for line in text.splitlines() if line.startswith("wattoken_requests_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@pytest.mark.parametrize("way", [pytest.param(way, marks=OTHER_WAYS.get(way, ())) for way in WAYS])
def test_an_event_goes_the_whole_way(migrated: Secured, way: str) -> None:
    key = (migrated.folder / "secrets" / "gateway" / "acme.key").read_text().strip()
    components = ("ingest", "aggregator", "exporter")
    plans = [plan(migrated, one, migrated.env(one, way) | keys_env(migrated)) for one in components]
    (_, ingest_port), _, (_, exporter_port) = plans
    with running(plans) as children:
        again = migrated.command(migrated.env("migrate", way), "migrate", "--partitions", "2")
        assert again.returncode == 0, again.stderr
        for child in children:
            child.wait_ready()
        before = registers(exporter_port)
        answer = httpx.post(
            f"http://{LOOPBACK}:{ingest_port}/v1/events",
            json=[event(f"{way}-{number}-{time.time_ns()}") for number in range(3)],
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=30,
        )
        assert answer.status_code == 202, answer.text
        eventually("metered", lambda: registers(exporter_port) == before + 3, 60)


def commits_are_known(questions: KafkaQuestions) -> bool:
    with suppress(UnavailableError):
        return questions.commits(GROUP, TOPIC, [0, 1]).keys() <= {0, 1}
    return False


@pytest.mark.parametrize("way", ["SCRAM-SHA-256", *WAYS])
def test_both_clients_get_in(migrated: Secured, way: str) -> None:
    """librdkafka's, and aiokafka's: for commits, and for the ids of a topic that was succeeded."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in migrated.env("aggregator", way).items():
            patch.setenv(name, value)
        settings = read_settings(KafkaSettings)
    questions = KafkaQuestions(settings)
    try:
        assert questions.describe(TOPIC).partitions == 2
        # A broker that nobody asked for a group yet makes the topic of commits first.
        eventually("commits", partial(commits_are_known, questions))
        ends = questions.ends(TOPIC, [0, 1])
    finally:
        questions.close()
    records = 0
    with PredecessorReader(settings, TOPIC, {0: 0, 1: 0}, ends) as reader:
        while reader.going_on:
            records += sum(map(len, reader.read().values()))
    assert records == sum(ends.values())


def test_ingest_serves_again_once_it_may_write(migrated: Secured) -> None:
    """Without the right its producer fails for good each time; that is no reason to restart."""
    key = (migrated.folder / "secrets" / "gateway" / "acme.key").read_text().strip()
    admin, wanted = migrated.kafka.admin(), grants(KafkaSettings(), GROUP)["ingest"]
    made, port = plan(migrated, "ingest", migrated.env("ingest") | keys_env(migrated), ready=False)

    def status() -> int:
        url = f"http://{LOOPBACK}:{port}/v1/events"
        headers = {"Authorization": f"Bearer {key}"}
        body = [event(f"again-{time.time_ns()}")]
        return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=60).status_code

    take_all(admin, "ingest")
    try:
        with running([(made, port)]) as (child,):
            eventually("replaced", lambda: "replaced after a fatal error" in child.log_tail(1000))
            assert status() == 503
            give(admin, "ingest", wanted)
            eventually("serves", lambda: status() == 202)
    finally:
        give(admin, "ingest", wanted)


def findings(secured: Secured) -> dict[str, list[dict[str, str]]]:
    """What the doctor finds as a user with its own grants, by check; it must end in order."""
    env = secured.kafka.env("doctor") | secured.clickhouse.env("migrate")
    done = secured.command(env, "doctor", "--json")
    assert done.returncode in (0, 1, 3), done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(done.stdout)["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


def test_the_doctor_reaches_all_of_it_with_its_own_grants(migrated: Secured) -> None:
    found = findings(migrated)
    errors = [one for of_check in found.values() for one in of_check if one["level"] == "error"]
    assert errors == []
    for name in ("topics", "schema", "retention", "clickhouse-clock"):
        assert {one["level"] for one in found[name]} <= {"ok", "skipped"}, found[name]
    assert "4.1; " in found["versions"][0]["found"], "the broker's version, over TLS"
    # To see what others may it wants one right more, and says which.
    (acls,) = found["acls"]
    assert acls["level"] == "skipped"
    assert "--cluster --operation Describe" in acls["remedy"]


def test_the_doctor_sees_a_right_that_lacks(migrated: Secured) -> None:
    admin = migrated.kafka.admin()
    see = AclBinding(
        *(ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL, "User:doctor", "*"),
        *(AclOperation.DESCRIBE, AclPermissionType.ALLOW),
    )
    for made in admin.create_acls([see], request_timeout=60).values():
        made.result()
    assert {one["level"] for one in findings(migrated)["acls"]} == {"ok"}
    wanted = grants(KafkaSettings(), GROUP)["ingest"]
    take_all(admin, "ingest")
    try:
        give(admin, "ingest", wanted[1:])
        eventually(
            "it is seen", lambda: "error" in {one["level"] for one in findings(migrated)["acls"]}
        )
        (lacks,) = [one for one in findings(migrated)["acls"] if one["level"] == "error"]
    finally:
        give(admin, "ingest", wanted)
    assert (lacks["what"], lacks["found"]) == ("Kafka User:ingest", f"lacks Write on topic {TOPIC}")
    assert "--operation Write --topic" in lacks["remedy"]


# What the grants are not for.


def user_config(secured: Secured, user: str) -> dict[str, Any]:
    env = secured.kafka.env(user)
    settings = KafkaSettings(
        kafka_bootstrap_servers=secured.kafka.sasl_address,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_username=user,
        kafka_sasl_password_file=Path(env["WATTOKEN_KAFKA_SASL_PASSWORD_FILE"]),
        kafka_ssl_ca_file=Path(env["WATTOKEN_KAFKA_SSL_CA_FILE"]),
    )
    return {**client_config(settings), "log_level": 0}


def may_write(secured: Secured, user: str, topic: str) -> bool:
    told: list[KafkaError | None] = []
    producer = Producer({**user_config(secured, user), "message.timeout.ms": 20_000})
    producer.produce(topic, b"{", on_delivery=lambda error, _: told.append(error))
    producer.flush(30)
    (error,) = told
    assert error is None or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
    return error is None


def may_read(secured: Secured, user: str, topic: str) -> bool:
    consumer = Consumer(
        {
            **user_config(secured, user),
            **{"group.id": "nobody", "enable.auto.commit": False, "enable.partition.eof": True},
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        while True:
            message = consumer.poll(5)
            if message is None:  # It is told nothing more.
                return False
            error = message.error()
            # That there is no group for it matters to nobody who names what he reads.
            if error is None or error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                break
    finally:
        consumer.close()
    if error is None or error.code() == KafkaError._PARTITION_EOF:
        return True
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
    return False


def may_create(secured: Secured, user: str, topic: str) -> bool:
    admin = AdminClient(user_config(secured, user))
    made = admin.create_topics([NewTopic(topic, 1, 1)], validate_only=True, request_timeout=20)
    try:
        made[topic].result()
    except KafkaException as error:
        code = error.args[0].code()
        assert code in (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            KafkaError.TOPIC_ALREADY_EXISTS,
        )
        return bool(code == KafkaError.TOPIC_ALREADY_EXISTS)
    return True


@pytest.mark.parametrize(
    ("user", "writes", "reads", "creates"),
    [
        ("ingest", True, False, False),
        ("aggregator", False, True, False),
        ("exporter", False, False, False),
        ("migrate", False, False, True),
        ("stranger", False, False, False),
    ],
)
def test_nobody_may_do_more(
    migrated: Secured, user: str, writes: bool, reads: bool, creates: bool
) -> None:
    assert may_write(migrated, user, TOPIC) == writes
    assert may_read(migrated, user, TOPIC) == reads
    assert may_create(migrated, user, TOPIC) == creates
    assert not may_create(migrated, user, "another")
    # Whoever may write there decides where ingest sends.
    assert may_write(migrated, user, "wattoken.successions") == (user == "migrate")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("component", "grant"),
    [
        (component, grant)
        for component, wanted in grants(KafkaSettings(), GROUP).items()
        if component in ("migrate", "aggregator", "ingest")
        for grant in wanted
        # What is refused is kept if that can be: ingest serves without.
        if (component, grant.name) != ("ingest", "usage.rejected.v1")
    ],
    ids=lambda value: value if isinstance(value, str) else f"without {value.name}",
)
def test_nobody_needs_less(migrated: Secured, component: str, grant: Grant) -> None:
    """Without one of its grants a component stops or waits, and says that it lacks rights."""
    admin, wanted = migrated.kafka.admin(), grants(KafkaSettings(), GROUP)[component]
    take_all(admin, component)
    give(admin, component, [one for one in wanted if one != grant])
    try:
        env = migrated.env(component) | keys_env(migrated)
        case = "without"
        said = said_by(migrated, {(component, case): env}, {case: GRANTS_REMEDY})[component, case]
        assert GRANTS_REMEDY in said, "it works without"
        assert "Traceback" not in said
    finally:
        give(admin, component, wanted)


# What is wrong is said.


def wrong(secured: Secured, case: str) -> dict[str, str]:
    other = Authority(secured.folder / "other-ca")
    not_it = secured.folder / "not-it"
    not_it.write_text("not-it")
    return {
        "another authority's broker": {"WATTOKEN_KAFKA_SSL_CA_FILE": str(other.certificate)},
        "wrong password": {"WATTOKEN_KAFKA_SASL_PASSWORD_FILE": str(not_it)},
        "no TLS": {
            "WATTOKEN_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "WATTOKEN_KAFKA_SSL_CA_FILE": "",
        },
        "nobody there": {"WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:1"},
        "no rights": {
            "WATTOKEN_KAFKA_SASL_USERNAME": "stranger",
            "WATTOKEN_KAFKA_SASL_PASSWORD_FILE": secured.kafka.env("stranger")[
                "WATTOKEN_KAFKA_SASL_PASSWORD_FILE"
            ],
        },
        "another authority's database": {"WATTOKEN_CLICKHOUSE_CA_FILE": str(other.certificate)},
        "wrong password of the database": {"WATTOKEN_CLICKHOUSE_PASSWORD_FILE": str(not_it)},
        "no TLS to the database": {
            "WATTOKEN_CLICKHOUSE_SECURE": "false",
            "WATTOKEN_CLICKHOUSE_CA_FILE": "",
        },
    }[case]


SAID = {
    "another authority's broker": ("WATTOKEN_KAFKA_SSL_CA_FILE", "kafka"),
    "wrong password": ("WATTOKEN_KAFKA_SASL_PASSWORD_FILE", "kafka"),
    "no TLS": ("WATTOKEN_KAFKA_SECURITY_PROTOCOL", "kafka"),
    "nobody there": ("WATTOKEN_KAFKA_BOOTSTRAP_SERVERS", "kafka"),
    "no rights": ("wattoken grants", "kafka"),
    "another authority's database": ("WATTOKEN_CLICKHOUSE_CA_FILE", "clickhouse"),
    "wrong password of the database": ("WATTOKEN_CLICKHOUSE_PASSWORD_FILE", "clickhouse"),
    "no TLS to the database": ("WATTOKEN_CLICKHOUSE_SECURE", "clickhouse"),
}


def has_said(child: Child, port: int, part: str) -> bool:
    """Whether a component has said something, or ended. Some speak when they are asked."""
    asked = {"exporter": "/metrics", "ingest": "/readyz"}
    if path := asked.get(child.name.partition(",")[0]):
        with suppress(httpx.HTTPError):
            httpx.get(f"http://{LOOPBACK}:{port}{path}", trust_env=False, timeout=30)
    return part in child.log_tail(1000) or not child.alive


def said_by(
    secured: Secured, envs: Mapping[tuple[str, str], Mapping[str, str]], parts: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """Run components in some cases until each has said what is its case's part, or has ended.

    Gives all that they said, by component and case.
    """
    plans = []
    for (component, case), env in envs.items():
        made, port = plan(secured, component, env, ready=False)
        plans.append((replace(made, name=f"{component}, {case}"), port))
    found = {}
    with running(plans) as children:
        for child, (_, port), (component, case) in zip(children, plans, envs, strict=True):
            part = parts[case]
            eventually(f"{child.name} says {part}", partial(has_said, child, port, part))
            found[component, case] = child.log_tail(1000)
            # A stop in order would wait for a broker that does not let it in.
            child.kill(signal.SIGKILL)
    return found


@pytest.mark.parametrize("server", ["kafka", "clickhouse"])
def test_what_is_wrong_is_said_in_a_line(migrated: Secured, server: str) -> None:
    envs = {}
    for case in (case for case, (_, which) in SAID.items() if which == server):
        # One case in every component, the others in those that differ most.
        components = ["migrate", "aggregator"] if server == "clickhouse" else ["migrate", "ingest"]
        if case.startswith("wrong password"):
            components = ["migrate", "aggregator", "exporter"]
            components += ["ingest"] if server == "kafka" else []
        for component in components:
            env = migrated.env(component) | keys_env(migrated) | wrong(migrated, case)
            envs[component, case] = env
    parts = {case: setting for case, (setting, _) in SAID.items()}
    port = migrated.clickhouse.port if server == "clickhouse" else migrated.kafka.ports.sasl
    for (component, case), said in said_by(migrated, envs, parts).items():
        line = next((line for line in said.splitlines() if parts[case] in line), "")
        address = f"{LOOPBACK}:{1 if case == 'nobody there' else port}"
        assert address in line, f"{component}, {case}: {said}"
        assert "Traceback" not in said, f"{component}, {case}"
