"""deploy/compose/production.yml: what can be read off it. It is brought up in tests/containers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.aggregator.settings import AggregatorSettings
from services.exporter.settings import ExporterSettings
from services.ingest.metrics import PATHS
from services.ingest.settings import IngestSettings
from services.operate.first_secrets import make_first_secrets
from services.operate.production_secrets import KAFKA_USERS, make_production_secrets
from services.platform.settings import ClickHouseSettings, KafkaSettings, Settings
from tests.contract import compose_file
from tests.contract.compose_file import PLAIN, PRODUCTION, Service, environment

FOLDER = PRODUCTION.parent
SERVICES = compose_file.services(PRODUCTION)
OURS = compose_file.ours(PRODUCTION)
THEIRS = compose_file.theirs(PRODUCTION)
SETTINGS: dict[str, tuple[type[Settings], ...]] = {
    "ingest": (IngestSettings,),
    "aggregator": (AggregatorSettings,),
    "exporter": (ExporterSettings,),
    "migrate": (KafkaSettings, ClickHouseSettings),
    "kafka-users": (AggregatorSettings,),
    "keys": (IngestSettings,),
    "secrets": (),
}


def is_job(service: Service) -> bool:
    return service.get("restart") == "no"


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_each_has_limits_and_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert compose_file.size_bytes(service["mem_limit"]) <= 4 << 30
    assert 0 < service["pids_limit"] <= 4096
    assert str(service["user"]).split(":")[0] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)
    if not is_job(service):
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", [*OURS, "proxy", "prometheus", "grafana"])
def test_what_can_be_is_read_only(name: str) -> None:
    assert SERVICES[name]["read_only"] is True


def test_one_port_is_published_and_it_is_the_proxys() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    assert SERVICES["proxy"]["ports"] == ["${WATTOKEN_PUBLIC_PORT:-443}:8443"]


def test_only_who_must_is_where_others_are() -> None:
    declared = compose_file.document(PRODUCTION)["networks"]
    assert {name for name, how in declared.items() if how and how.get("internal")} == {
        "inside",
        "watched",
    }
    for name, service in SERVICES.items():
        assert (service.get("network_mode") == "none") != bool(networks(name)), name
    assert networks("proxy") == {"front"}
    assert networks("kafka") == networks("clickhouse") == {"inside"}
    assert networks("prometheus") == {"watched"}
    assert {name for name in SERVICES if "front" in networks(name)} == {
        *("proxy", "ingest", "grafana")
    }


def test_images_are_those_of_the_plain_file() -> None:
    plain = {name: service["image"] for name, service in compose_file.services(PLAIN).items()}
    for name, service in SERVICES.items():
        if name in plain:
            assert service["image"] == plain[name]
        elif name in OURS:
            assert service["image"] == plain["ingest"]
    assert re.fullmatch(r"haproxy:[\d.]+-alpine@sha256:[0-9a-f]{64}", THEIRS["proxy"]["image"])
    for service in OURS.values():
        build = service["build"]
        assert (FOLDER / build["context"]).resolve() == compose_file.ROOT
        assert compose_file.ROOT / build["dockerfile"] == compose_file.DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_a_setting_of_that_command(name: str) -> None:
    known = {f"WATTOKEN_{field}".upper() for cls in SETTINGS[name] for field in cls.model_fields}
    assert set(environment(OURS[name])) <= known
    assert all(isinstance(value, str) for value in environment(OURS[name]).values())


@pytest.mark.parametrize("name", KAFKA_USERS)
def test_each_comes_to_kafka_as_itself_over_tls(name: str) -> None:
    env = environment(OURS[name])
    assert env["WATTOKEN_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert env["WATTOKEN_KAFKA_SASL_MECHANISM"] == "SCRAM-SHA-512"
    assert env["WATTOKEN_KAFKA_SASL_USERNAME"] == name
    assert env["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
    if "WATTOKEN_CLICKHOUSE_HOST" in env:
        assert env["WATTOKEN_CLICKHOUSE_SECURE"] == "true"
        assert env["WATTOKEN_CLICKHOUSE_USER"] == f"wattoken_{name}"
        assert env["WATTOKEN_CLICKHOUSE_CA_FILE"] == f"/secrets/{name}/ca.pem"


def test_kafka_takes_nobody_in_clear_and_nobody_without_rights() -> None:
    kafka = environment(SERVICES["kafka"])
    # The controller, within the container, is the broker's own.
    protocols = kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    assert protocols == ["CLIENTS:SASL_SSL", "CONTROLLER:PLAINTEXT"]
    assert kafka["KAFKA_LISTENERS"] == "CLIENTS://:9092,CONTROLLER://127.0.0.1:9093"
    # The official image wants key stores of its own where an advertised name has SSL in it.
    assert "SSL" not in kafka["KAFKA_ADVERTISED_LISTENERS"]
    assert kafka["KAFKA_AUTHORIZER_CLASS_NAME"].endswith("StandardAuthorizer")
    assert "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND" not in kafka


def test_secrets_are_files_each_in_the_container_that_needs_it(tmp_path: Path) -> None:
    make_first_secrets(tmp_path, lambda line: None)
    make_production_secrets(tmp_path, ("meter.example.com",), lambda line: None)
    job = {target: source for source, target, _ in compose_file.volumes(SERVICES["secrets"])}
    assert set(job) == {f"/secrets/{folder.name}" for folder in tmp_path.iterdir()}
    assert all(source == f"secrets-{target.split('/')[-1]}" for target, source in job.items())
    readers: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        mounted = {
            target: tmp_path / source.removeprefix("secrets-")
            for source, target, _ in compose_file.volumes(service)
            if source.startswith("secrets-")
        }
        said = [
            *environment(service).items(),
            *enumerate(service.get("healthcheck", {}).get("test", ())),
        ]
        for key, value in said:
            assert not re.search(r"(PASSWORD|SECRET|TOKEN|PEPPER)$", str(key)), f"{name}: {key}"
            for folder, file in re.findall(r"(/(?:run/)?secrets/[\w-]+)/([\w.]+)", str(value)):
                assert (mounted[folder] / file).is_file(), f"{name}: nobody makes {value}"
        if name not in ("secrets", "keys"):
            for made in mounted.values():
                readers.setdefault(made.name, set()).add(name)
            assert all(
                read_only
                for source, _, read_only in compose_file.volumes(service)
                if source.startswith("secrets-")
            )
    alone = ("migrate", "ingest", "aggregator", "exporter", "kafka", "kafka-users", "clickhouse")
    assert readers == {name: {name} for name in (*alone, "grafana", "proxy")}
    declared = compose_file.document(PRODUCTION)["volumes"]
    assert {f"secrets-{folder.name}" for folder in tmp_path.iterdir()} <= set(declared)


def test_what_is_mounted_is_there_and_cannot_be_changed() -> None:
    for service in SERVICES.values():
        for source, _, read_only in compose_file.volumes(service):
            if source.startswith("."):
                assert (FOLDER / source).resolve().exists(), source
                assert read_only, source


def test_the_proxy_lets_gateways_where_ingest_takes_events_and_nowhere_else() -> None:
    text = (FOLDER / "haproxy.cfg").read_text(encoding="utf-8")
    let = {
        path
        for line in re.findall(r"^ *acl for_gateways path (.+)$", text, re.MULTILINE)
        for path in line.split()
    }
    assert let == PATHS - {"/healthz", "/readyz", "/metrics"}
    port = environment(OURS["ingest"])["WATTOKEN_INGEST_PORT"]
    assert f"server ingest ingest:{port} " in text
    # Who closes an idle connection first must be the one that does not send on it.
    kept = re.search(r"timeout http-keep-alive (\d+)s", text)
    assert kept is not None
    assert int(kept[1]) < IngestSettings.model_fields["ingest_idle_seconds"].default
    hard_stop = re.search(r"hard-stop-after (\d+)s", text)
    assert hard_stop is not None
    assert int(hard_stop[1]) < int(SERVICES["proxy"]["stop_grace_period"].removesuffix("s"))


def test_clickhouse_speaks_https_alone_where_its_users_look() -> None:
    text = (FOLDER / "clickhouse-tls.xml").read_text(encoding="utf-8")
    port = environment(OURS["aggregator"])["WATTOKEN_CLICKHOUSE_PORT"]
    assert f"<https_port>{port}</https_port>" in text
    for closed in ("http_port", "tcp_port", "mysql_port", "postgresql_port"):
        assert f'<{closed} remove="remove"/>' in text
    assert f"port: {port}" in (FOLDER / "grafana-clickhouse.yml").read_text(encoding="utf-8")


def test_jobs_and_services_wait_for_the_right_thing() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            job = is_job(SERVICES[other])
            condition = "service_completed_successfully" if job else "service_healthy"
            assert how["condition"] == condition, f"{name} on {other}"
            assert "profiles" not in SERVICES[other]
