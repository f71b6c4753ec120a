"""What names something else in the chart names what is there: ports, paths, selectors, groups."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.platform.kafka_grants import grants
from services.platform.settings import KafkaSettings
from services.platform.succession import group_of
from tests.contract.compose_file import ROOT
from tests.contract.test_compose import paths_of, project
from tests.helm.chart import (
    CHART,
    LEAST,
    NAMESPACE,
    RELEASE,
    SIZES,
    Chart,
    Object,
    at,
    container_of,
    environment_of,
    of_size,
    one,
    over,
    pods,
    workloads,
)
from tests.helm.test_sizes import EVERYTHING

CASES = {"everything": EVERYTHING, **{size: of_size(size) for size in SIZES}}
LONG_RUNNING = ("ingest", "aggregator", "exporter")


def matched(selector: dict[str, str], objects: list[Object]) -> set[str]:
    """The components whose pods have all labels of a selector."""
    return {
        component
        for component, pod in pods(objects).items()
        if selector.items() <= pod["metadata"]["labels"].items()
    }


@pytest.mark.parametrize("case", CASES)
def test_whatever_selects_pods_selects_those_of_its_component(chart: Chart, case: str) -> None:
    objects = chart.render(CASES[case])
    looked_at = 0
    for found in objects:
        component = found["metadata"]["labels"]["app.kubernetes.io/component"]
        spec = found.get("spec", {})
        selectors: list[Any] = []
        if found["kind"] == "Service":
            selectors = [spec["selector"]]
        elif found["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            selectors = [spec["selector"]["matchLabels"]]
        elif found["kind"] == "NetworkPolicy":
            selectors = [spec["podSelector"]["matchLabels"]]
        if found["kind"] in ("Deployment", "StatefulSet"):
            selectors += [
                one["labelSelector"]["matchLabels"]
                for one in spec["template"]["spec"].get("topologySpreadConstraints", [])
            ]
        for selector in selectors:
            assert matched(selector, objects) == {component}, found["metadata"]["name"]
            looked_at += 1
    assert looked_at >= 6


@pytest.mark.parametrize("case", CASES)
def test_probes_ask_paths_that_the_services_have_on_their_port(chart: Chart, case: str) -> None:
    found = pods(chart.render(CASES[case]))
    for component in LONG_RUNNING:
        container = container_of(found[component])
        (port,) = container["ports"]
        variable = f"WATTOKEN_{component}_PORT".upper()
        assert environment_of(found[component])[variable] == str(port["containerPort"])
        assert environment_of(found[component])[f"WATTOKEN_{component}_HOST".upper()] == "0.0.0.0"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container[probe]["httpGet"]
            assert asked["port"] == port["name"]
            assert asked["path"] in paths_of(component)
        # A service that cannot do its work must not be killed for it.
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container_of(found["ingest"])["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container_of(found["aggregator"])["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_ports_can_be_others(chart: Chart) -> None:
    values = {"ingest": {"port": 1234}, "aggregator": {"port": 1235}, "exporter": {"port": 1236}}
    found = pods(chart.render(values))
    for component, port in (("ingest", 1234), ("aggregator", 1235), ("exporter", 1236)):
        assert container_of(found[component])["ports"][0]["containerPort"] == port
        variable = f"WATTOKEN_{component}_PORT".upper()
        assert environment_of(found[component])[variable] == str(port)


@pytest.mark.parametrize("case", ["everything", "team", "fleet"])
def test_prometheus_finds_each_service_under_a_job_that_the_rules_know(
    chart: Chart, case: str
) -> None:
    objects = chart.render(CASES[case])
    texts = " ".join(path.read_text() for path in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
    jobs = re.findall(r'job=~"([^"]+)"', texts)
    assert jobs
    for component in LONG_RUNNING:
        monitor = one(objects, "ServiceMonitor", component)["spec"]
        services = [
            found
            for found in objects
            if found["kind"] == "Service"
            and monitor["selector"]["matchLabels"].items() <= found["metadata"]["labels"].items()
        ]
        (service,) = services
        job = service["metadata"]["labels"][monitor["jobLabel"]]
        assert any(re.fullmatch(known, job) for known in jobs), job
        (endpoint,) = monitor["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] in paths_of(component)
        if case == "everything":
            assert monitor["selector"]["matchLabels"].keys() <= service["metadata"]["labels"].keys()


def test_prometheus_adds_no_label_that_a_metric_has_already() -> None:
    """It would move ours away, to exported_…, and the rules would not find it."""
    from services.aggregator.metrics import REGISTRY
    from services.exporter.metric_definitions import METRICS
    from services.ingest.metrics import IngestMetrics

    added = {"namespace", "service", "pod", "container", "endpoint", "job", "instance", "node"}
    ours = {label for metric in METRICS for label in metric.labels}
    for registry in (REGISTRY, IngestMetrics().registry):
        for family in registry.collect():
            ours |= {label for sample in family.samples for label in sample.labels}
    assert not ours & added


def test_the_rules_are_deploy_s_own_word_for_word(chart: Chart) -> None:
    found = one(chart.render(at("monitoring.prometheusRule", True)), "PrometheusRule")
    files = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    groups = [
        group
        for path in files
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    assert len(files) >= 2
    assert found["spec"]["groups"] == groups
    # Not a copy: one that somebody changes is the other.
    assert (CHART / "rules").is_symlink()
    assert (CHART / "rules").resolve() == (ROOT / "deploy/prometheus/rules")


def test_a_packaged_chart_is_the_same(chart: Chart, tmp_path: Path) -> None:
    """The link to the rules becomes files in it, and helm's own linter has nothing to say."""

    def helm(*words: str | Path) -> str:
        command = [chart.helm, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("wattoken-*.tgz")
    values = tmp_path / "values.json"
    values.write_text(json.dumps(over(LEAST, at("monitoring.prometheusRule", True))))
    assert "0 chart(s) failed" in helm("lint", "--strict", package, "--values", values)
    packaged = helm("template", RELEASE, package, "--namespace", NAMESPACE, "--values", values)
    assert packaged == chart.text(LEAST, at("monitoring.prometheusRule", True))


def test_both_kinds_of_custom_resources_bear_the_labels_that_prometheus_looks_for(
    chart: Chart,
) -> None:
    labels = {"release": "prometheus"}
    values = {"monitoring": {"serviceMonitor": True, "prometheusRule": True, "labels": labels}}
    for found in chart.render(values):
        if found["apiVersion"].startswith("monitoring.coreos.com"):
            assert labels.items() <= found["metadata"]["labels"].items()


def test_autoscalers_name_what_they_scale(chart: Chart) -> None:
    objects = chart.render(EVERYTHING)
    for kind, component in (("HorizontalPodAutoscaler", "ingest"), ("ScaledObject", "aggregator")):
        target = one(objects, kind, component)["spec"]["scaleTargetRef"]
        workload = workloads(objects)[component]
        assert (target["apiVersion"], target["kind"], target["name"]) == (
            workload["apiVersion"],
            workload["kind"],
            workload["metadata"]["name"],
        )


def trigger_of(objects: list[Object]) -> dict[str, str]:
    (trigger,) = one(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["type"] == "kafka"
    metadata = trigger["metadata"]
    assert all(isinstance(value, str) for value in metadata.values())
    return dict(metadata)


def test_keda_looks_at_the_group_and_the_log_of_the_workers(chart: Chart) -> None:
    values = over(
        of_size("fleet"), {"kafka": {"topic": "events"}, "aggregator": {"group": "workers"}}
    )
    objects = chart.render(values)
    worker = environment_of(pods(objects)["aggregator"])
    trigger = trigger_of(objects)
    assert trigger["consumerGroup"] == worker["WATTOKEN_AGGREGATOR_GROUP"] == "workers"
    assert trigger["topic"] == worker["WATTOKEN_KAFKA_TOPIC"] == "events"
    assert trigger["bootstrapServers"] == worker["WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"]
    assert (trigger["sasl"], trigger["tls"]) == ("scram_sha512", "enable")
    assert trigger["lagThreshold"] == "1000000"
    spec = one(objects, "ScaledObject")["spec"]
    assert spec["maxReplicaCount"] <= 48
    # It may: who reads a group may describe it, and so the topic.
    settings = KafkaSettings(kafka_topic="events")
    may = {grant.resource: grant for grant in grants(settings, "workers")["aggregator"]}
    assert may["group"].operations == ("Read",)
    secret = {
        entry["parameter"]: (entry["name"], entry["key"])
        for entry in one(objects, "TriggerAuthentication")["spec"]["secretTargetRef"]
    }
    assert secret == {
        "password": ("wattoken-kafka", "aggregator"),
        "ca": ("kafka-ca", "ca.crt"),
    }
    (variable,) = one(objects, "TriggerAuthentication")["spec"]["env"]
    assert worker[variable["name"]] == "wattoken-aggregator"
    assert variable["containerName"] == container_of(pods(objects)["aggregator"])["name"]


def test_keda_looks_at_the_log_that_followed_where_it_is_told(chart: Chart) -> None:
    group = f"wattoken-aggregator.{'usage.events.v2'}"
    told = {"topic": "usage.events.v2", "consumerGroup": group}
    trigger = trigger_of(chart.render({"aggregator": {"autoscaling": {"enabled": True, **told}}}))
    assert {key: trigger[key] for key in told} == told
    assert "." in group and group_of("wattoken-aggregator", [], "usage.events.v2") != group


def test_a_kafka_without_tls_and_users_needs_no_authentication(chart: Chart) -> None:
    objects = chart.render(at("aggregator.autoscaling.enabled", True))
    assert "TriggerAuthentication" not in {found["kind"] for found in objects}
    (trigger,) = one(objects, "ScaledObject")["spec"]["triggers"]
    assert "authenticationRef" not in trigger
    assert {"sasl", "tls"}.isdisjoint(trigger["metadata"])


def test_keda_s_trigger_has_each_key_that_it_is_given(chart: Chart, custom_resources: Path) -> None:
    """Its schema takes any key there; its source says which it reads, and from where."""
    source = (custom_resources / "kafka_scaler.go").read_text(encoding="utf-8")
    (fields,) = re.findall(r"^type kafkaMetadata struct \{\n(.*?)^\}", source, re.DOTALL | re.M)
    reads = {
        name: set(order.split(";"))
        for name, order in re.findall(r"name=(\w+),order=([\w;]+)", fields)
    }
    objects = chart.render(EVERYTHING)
    for key in trigger_of(objects):
        assert "triggerMetadata" in reads[key], key
    authentication = one(objects, "TriggerAuthentication")["spec"]
    parameters = {
        entry["parameter"] for entry in authentication["secretTargetRef"] + authentication["env"]
    }
    assert parameters == {"username", "password", "ca", "cert", "key"}
    assert all("authParams" in reads[parameter] for parameter in parameters)
    for key, value in (
        ("sasl", "scram_sha512"),
        ("tls", "enable"),
        ("offsetResetPolicy", "earliest"),
    ):
        (choices,) = re.findall(rf'name={key},[^"`]*enum=([\w;]+)', fields)
        assert value in choices.split(";")


def test_the_chart_is_of_the_version_that_it_runs() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["appVersion"] == about["version"] == project()["version"]
    assert about["annotations"]["licenses"] == project()["license"]
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert values["image"]["repository"] == "wattoken"


def test_the_chart_agrees_with_docker_compose(chart: Chart) -> None:
    """The same services with the same users, folders and ports."""
    from tests.contract import compose_file

    found = pods(chart.render())
    assert found.keys() <= compose_file.ours().keys()
    for component, pod in found.items():
        there = compose_file.environment(compose_file.ours()[component])
        here = environment_of(pod)
        for name in there.keys() & here.keys():
            if name.endswith(("_USER", "_PORT", "_HOST", "_DIR", "_GROUP", "_DATABASE")):
                assert there[name] == here[name], f"{component}: {name}"
