"""docker-compose.yml says what the code says: commands, settings, ports, paths, and no rights."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from starlette.routing import Route

from services.aggregator.settings import AggregatorSettings
from services.canary.settings import CanarySettings
from services.cli import app as cli
from services.exporter.app import create_app
from services.exporter.scrape import Scraper
from services.exporter.settings import ExporterSettings
from services.ingest.settings import IngestSettings
from services.operate.first_secrets import make_first_secrets
from services.platform.migrate import TopicPlan
from services.platform.settings import ClickHouseSettings, KafkaSettings, Settings, read_settings
from tests.contract import compose_file
from tests.contract.compose_file import DOCKERFILE, ROOT, environment, ours, services, theirs

#: Which settings the command of a service reads.
SETTINGS: dict[str, tuple[type[Settings], ...]] = {
    "ingest": (IngestSettings,),
    "aggregator": (AggregatorSettings,),
    "exporter": (ExporterSettings,),
    "canary": (CanarySettings,),
    "migrate": (KafkaSettings, ClickHouseSettings),
    "simulate": (KafkaSettings,),
    "keys": (IngestSettings,),
    "init-secrets": (),
}
LONG_RUNNING = ("ingest", "aggregator", "exporter", "canary")


def command_of(name: str) -> list[str]:
    return [str(word) for word in ours()[name]["command"]]


def wattoken(words: list[str]) -> tuple[Any, typer.Context | Any]:
    """Parse a command line with the real CLI, without running it; fails where it would."""
    group = typer.main.get_command(cli)
    name, *arguments = words
    command = group.commands[name]  # type: ignore[attr-defined]
    if hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    return command, command.make_context(name, [word for word in arguments if word != "--help"])


def fields(classes: tuple[type[Settings], ...]) -> dict[str, Any]:
    return {
        f"WATTOKEN_{field}".upper(): info
        for cls in classes
        for field, info in cls.model_fields.items()
    }


def test_it_holds_what_is_promised() -> None:
    assert set(services()) >= {
        *("kafka", "clickhouse", "prometheus", "grafana", "migrate", "simulator"),
        *LONG_RUNNING,
    }
    assert ours()["simulator"]["profiles"] == ["demo"]
    plain = {name for name, service in services().items() if "profiles" not in service}
    assert ours()["canary"]["profiles"] == ["canary"]
    assert plain == set(services()) - {"simulator", "keys", "canary"}


@pytest.mark.parametrize("name", ours())
def test_each_command_is_one_of_the_cli(name: str, tmp_path: Path) -> None:
    words = command_of(name)
    if name == "simulator":
        keys = tmp_path / "keys"
        words = [word.replace("/secrets/gateway", str(keys)) for word in words]
        keys.mkdir()
    if name == "keys":
        words = [*words, "--tenant=t", "--region=r", "--keys-file=k", "--pepper-file=p"]
    command, context = wattoken(words)
    assert command.callback is not None
    assert context.args == []


def test_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(Exception, match="(?i)no such option"):
        wattoken(["exporter", "--max-serie", "1"])


@pytest.mark.parametrize("name", ours())
def test_each_variable_is_a_setting_of_that_command(name: str) -> None:
    command = command_of(name)[0]
    known = fields(SETTINGS[command])
    given = {key: value for key, value in environment(ours()[name]).items()}
    assert set(given) <= set(known), f"{name}: unknown {set(given) - set(known)}"
    assert all(isinstance(value, str) for value in given.values()), "quote numbers"


@pytest.mark.parametrize("name", ["migrate", *LONG_RUNNING])
def test_the_values_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in environment(ours()[name]).items():
        monkeypatch.setenv(key, value)
    for cls in SETTINGS[command_of(name)[0]]:
        read = read_settings(cls)
        assert getattr(read, "kafka_bootstrap_servers", "kafka:19092") == "kafka:19092"
        assert getattr(read, "clickhouse_host", "clickhouse") == "clickhouse"


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_each_service_listens_where_its_health_check_asks(name: str) -> None:
    service = ours()[name]
    port_variable = f"WATTOKEN_{name}_PORT".upper()
    port = int(environment(service)[port_variable])
    assert port == fields(SETTINGS[name])[port_variable].default
    assert environment(service)[f"WATTOKEN_{name}_HOST".upper()] == "0.0.0.0"
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    assert words[0] == "wattoken"
    _, context = wattoken(words[1:])
    assert words[1] == "healthcheck"
    asked = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/\w+)", context.params["url"])
    assert asked is not None
    assert int(asked[1]) == port
    assert asked[2] in paths_of(name)
    for _, outer, inner in compose_file.published(service):
        assert (outer, inner) == (port, port)


def paths_of(name: str) -> set[str]:
    """The paths that a service answers, from its code."""
    if name == "exporter":
        routes = create_app(Scraper(ExporterSettings())).routes
        return {route.path for route in routes if isinstance(route, Route)}
    if name == "ingest":
        from services.ingest.metrics import PATHS

        return set(PATHS)
    source = (ROOT / "services/platform/health.py").read_text(encoding="utf-8")
    return set(re.findall(r'"(/\w+)"', source))


def test_prometheus_scrapes_each_service_at_its_port() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    targets = set(jobs["exporter"]["static_configs"][0]["targets"])
    for name in ("ingest", "aggregator", "canary"):
        for found in jobs[name]["dns_sd_configs"]:
            targets |= {f"{host}:{found['port']}" for host in found["names"]}
    expected = {
        f"{name}:{environment(ours()[name])[f'WATTOKEN_{name}_PORT'.upper()]}"
        for name in LONG_RUNNING
    }
    assert targets == expected
    assert all("metrics_path" not in job for job in jobs.values())
    assert all("/metrics" in paths_of(name) for name in LONG_RUNNING)
    timeout = float(config["global"]["scrape_timeout"].removesuffix("s"))
    given = float(environment(ours()["exporter"])["WATTOKEN_EXPORTER_TIMEOUT_SECONDS"])
    assert given < timeout
    assert ExporterSettings().exporter_timeout_seconds < timeout


#: Repository, full version, and the digest of what the tag named when it was written down.
PINNED = re.compile(r"[a-z]+(/[a-z-]+)?:v?\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", theirs())
def test_each_image_of_others_is_pinned_to_a_version_and_a_digest(name: str) -> None:
    assert PINNED.fullmatch(theirs()[name]["image"])


def test_our_image_has_our_version_and_stands_on_a_pinned_one() -> None:
    assert {service["image"] for service in ours().values()} == {f"wattoken:{project()['version']}"}
    text = DOCKERFILE.read_text()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    assert PINNED.fullmatch(base)
    # The command that renews the digest names the same tag.
    assert f"imagetools inspect {base.partition('@')[0]} " in text
    # BuildKit would fetch a front end by a tag that moves.
    assert "syntax=" not in text


@pytest.mark.parametrize(
    "image", ["python:3.11.14-slim-bookworm", "apache/kafka@sha256:" + "0" * 64, "python:3.11@x"]
)
def test_a_lesser_pin_would_be_noticed(image: str) -> None:
    assert not PINNED.fullmatch(image)


def test_the_labels_say_what_the_image_is() -> None:
    labels = dict(
        re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', DOCKERFILE.read_text())
    )
    assert labels["title"] == "Wattoken"
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE))
    assert (labels["version"], defaults["VERSION"]) == ("$VERSION", project()["version"])
    assert labels["licenses"] == project()["license"]
    urls = project()["urls"]
    assert (labels["url"], labels["documentation"]) == (urls["Repository"], urls["Documentation"])
    assert (labels["revision"], labels["source"]) == ("$REVISION", "$SOURCE")
    assert labels["created"] == "$CREATED"
    datetime.fromisoformat(defaults["CREATED"])
    # The version is the tree's, which is what is built: nobody else may say another.
    given = {key for service in ours().values() for key in service["build"]["args"]}
    assert given == {"REVISION", "SOURCE", "CREATED"}
    for service in ours().values():
        for name, text in service["build"]["args"].items():
            assert text == f"${{WATTOKEN_{name}:-{defaults[name]}}}"


def test_every_label_is_one_that_oci_knows() -> None:
    """https://github.com/opencontainers/image-spec/blob/main/annotations.md."""
    found = set(re.findall(r"org\.opencontainers\.image\.([\w.]+)=", DOCKERFILE.read_text()))
    assert found <= {
        *("created", "authors", "url", "documentation", "source", "version", "revision", "vendor"),
        *("licenses", "ref.name", "title", "description", "base.digest", "base.name"),
    }


def test_the_limit_of_open_files_can_be_set_and_is_modest() -> None:
    limit = re.fullmatch(
        r"\$\{WATTOKEN_CLICKHOUSE_NOFILE:-(\d+)\}", theirs()["clickhouse"]["ulimits"]["nofile"]
    )
    assert limit is not None
    # More than a machine's own limit is refused, and then ClickHouse does not start at all.
    assert 4_096 <= int(limit[1]) <= 20_000


@pytest.mark.parametrize("name", services())
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert services()[name].get("network_mode") in (None, "none")
    for host, _, _ in compose_file.published(services()[name]):
        assert host == "127.0.0.1"


@pytest.mark.parametrize("name", services())
def test_nothing_runs_as_root_or_can_gain_rights(name: str) -> None:
    service = services()[name]
    assert service["user"].split(":")[0] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)


@pytest.mark.parametrize("name", ours())
def test_our_containers_cannot_be_written_to(name: str) -> None:
    assert ours()[name]["read_only"] is True
    assert [mount.split(":")[0] for mount in ours()[name]["tmpfs"]] == ["/tmp"]


@pytest.mark.parametrize("name", [*LONG_RUNNING, *theirs()])
def test_what_stays_up_has_a_health_check_and_comes_back(name: str) -> None:
    service = services()[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(service["healthcheck"])
    assert service["restart"] == "unless-stopped"


def test_dependencies_wait_for_the_right_thing() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            needed = services()[other]
            job = needed.get("restart") == "no"
            condition = "service_completed_successfully" if job else "service_healthy"
            assert how["condition"] == condition, f"{name} on {other}"
            assert job or "healthcheck" in needed
            assert "profiles" not in needed, f"{other} would not be started for {name}"
    for name in LONG_RUNNING:
        assert "migrate" in ours()[name]["depends_on"]


def test_volumes_are_declared_and_used() -> None:
    named, files = set(), []
    for service in services().values():
        for source, _, read_only in compose_file.volumes(service):
            if source.startswith("."):
                files.append((source, read_only))
            else:
                named.add(source)
    assert named == set(compose_file.document()["volumes"])
    for source, read_only in files:
        assert (ROOT / source).exists(), source
        assert read_only, f"{source} could be changed from a container"


def test_secrets_are_files_each_in_the_container_that_needs_it(tmp_path: Path) -> None:
    make_first_secrets(tmp_path, lambda line: None)
    job = {target: source for source, target, _ in compose_file.volumes(ours()["secrets"])}
    assert set(job) == {f"/secrets/{folder.name}" for folder in tmp_path.iterdir()}
    readers: dict[str, set[str]] = {}
    for name, service in services().items():
        mounted = {
            target: tmp_path / source.removeprefix("secrets-")
            for source, target, _ in compose_file.volumes(service)
            if source.startswith("secrets-")
        }
        for key, value in environment(service).items():
            assert not re.search(r"(PASSWORD|SECRET|TOKEN|PEPPER)$", key), f"{name}: {key}={value}"
            if key.endswith("_FILE"):
                folder, _, file = value.rpartition("/")
                assert (mounted[folder] / file).is_file(), f"{name}: nobody makes {value}"
        if name not in ("secrets", "keys"):
            for made in mounted.values():
                readers.setdefault(made.name, set()).add(name)
            assert all(
                read_only
                for source, _, read_only in compose_file.volumes(service)
                if source.startswith("secrets-")
            )
    assert readers == {
        **{name: {name} for name in ("migrate", *LONG_RUNNING, "clickhouse", "grafana")},
        "gateway": {"simulator"},
    }


def test_clickhouse_users_are_those_of_users_xml() -> None:
    users = (ROOT / "deploy/docker/clickhouse/users.xml").read_text(encoding="utf-8")
    declared = set(re.findall(r"^        <(wattoken_\w+)>", users, re.MULTILINE))
    used = {
        environment(service)["WATTOKEN_CLICKHOUSE_USER"]
        for service in ours().values()
        if "WATTOKEN_CLICKHOUSE_USER" in environment(service)
    }
    assert used == {"wattoken_migrate", "wattoken_aggregator", "wattoken_exporter"}
    assert used <= declared
    include = re.search(r"<include_from>(.*)/(.*)</include_from>", users)
    assert include is not None
    mounts = {target: source for source, target, _ in compose_file.volumes(theirs()["clickhouse"])}
    assert mounts[include[1]] == "secrets-clickhouse"


def test_kafka_is_advertised_where_clients_look_and_topics_are_made_by_migrate() -> None:
    kafka = environment(services()["kafka"])
    inside = environment(ours()["ingest"])["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]
    assert f"INTERNAL://{inside}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    _, context = wattoken(command_of("migrate"))
    assert context.params["partitions"] == TopicPlan().partitions
    assert context.params["replication_factor"] == 1, "there is one broker"


def test_the_dockerfile_copies_what_exists_and_what_its_ignore_file_lets_through() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        above = [str(path) for path in (Path(source), *Path(source).parents)]
        assert any(f"!{path}" in ignore for path in above), f"{source} would not reach the builder"
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["build-backend"]
    assert set(backend["module-name"]) <= set(sources)
    for service in ours().values():
        assert ROOT / service["build"]["dockerfile"] == DOCKERFILE


def test_the_dockerfile_agrees_with_the_makefile_the_settings_and_the_users() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lock = re.search(r"^UV_LOCK := (\S+)$", makefile, re.MULTILINE)
    assert lock is not None
    assert f"COPY {lock[1]} /tmp/\n" in text
    assert re.findall(r"uv sync (--frozen)", text) == ["--frozen"] * 2
    # Signed bills, the demo profile's gateways, traces; what no service or job runs stays out.
    assert re.findall(r"--extra (\S+)", text) == ["settle", "simulator", "traces"] * 2
    assert set(re.findall(r"\b(WATTOKEN_\w+)=", text)) <= set(fields((ExporterSettings,)))
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == ours()["ingest"]["user"]
    assert re.search(r'^ENTRYPOINT \["wattoken"\]$', text, re.MULTILINE)
    folders = set(re.findall(r"(/secrets/[\w-]+)", text))
    jobs = [ours(file)["secrets"] for file in (compose_file.PLAIN, compose_file.PRODUCTION)]
    assert folders == {target for job in jobs for _, target, _ in compose_file.volumes(job)}


def test_compose_itself_accepts_the_file() -> None:
    if shutil.which("docker") is None:
        pytest.skip("the docker client is not installed")
    known = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if known.returncode != 0:
        pytest.skip("docker has no compose plugin")
    command = ["docker", "compose", "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
