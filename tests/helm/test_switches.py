"""Each switch of the values, on and off: what it brings, and that it is gone without it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from services.ingest.settings import IngestSettings
from tests.helm.chart import (
    CHART,
    Chart,
    Checker,
    Object,
    Values,
    at,
    container_of,
    environment_of,
    named,
    of_size,
    one,
    over,
    pods,
    walk,
    workloads,
)
from tests.helm.test_sizes import EVERYTHING, PASSWORDS, PLACED

#: A switch -> values under which it does something, and the kinds (and names) that it brings.
BRINGS: dict[str, tuple[Values, set[tuple[str, str]]]] = {
    "migrate.enabled": ({}, {("Job", "wattoken-migrate"), ("ServiceAccount", "wattoken-migrate")}),
    "ingest.enabled": (
        {},
        {
            *(("Deployment", "wattoken-ingest"), ("Service", "wattoken-ingest")),
            ("PodDisruptionBudget", "wattoken-ingest"),
        },
    ),
    "aggregator.enabled": (
        {},
        {
            *(("StatefulSet", "wattoken-aggregator"), ("Service", "wattoken-aggregator")),
            ("PodDisruptionBudget", "wattoken-aggregator"),
        },
    ),
    "exporter.enabled": (
        {},
        {
            *(("Deployment", "wattoken-exporter"), ("Service", "wattoken-exporter")),
            ("PersistentVolumeClaim", "wattoken-exporter"),
        },
    ),
    "ingest.autoscaling.enabled": ({}, {("HorizontalPodAutoscaler", "wattoken-ingest")}),
    "ingest.ingress.enabled": (
        at("ingest.ingress.host", "meter.example.org"),
        {("Ingress", "wattoken-ingest")},
    ),
    "ingest.podDisruptionBudget.enabled": ({}, {("PodDisruptionBudget", "wattoken-ingest")}),
    "aggregator.autoscaling.enabled": ({}, {("ScaledObject", "wattoken-aggregator")}),
    "aggregator.podDisruptionBudget.enabled": (
        {},
        {("PodDisruptionBudget", "wattoken-aggregator")},
    ),
    "exporter.persistence.enabled": ({}, {("PersistentVolumeClaim", "wattoken-exporter")}),
    "serviceAccount.create": (
        {},
        {("ServiceAccount", "wattoken"), ("ServiceAccount", "wattoken-migrate")},
    ),
    "networkPolicy.enabled": (
        {},
        {
            ("NetworkPolicy", f"wattoken-{name}")
            for name in ("migrate", "ingest", "aggregator", "exporter")
        },
    ),
    "monitoring.serviceMonitor": (
        {},
        {("ServiceMonitor", f"wattoken-{name}") for name in ("ingest", "aggregator", "exporter")},
    ),
    "monitoring.prometheusRule": ({}, {("PrometheusRule", "wattoken")}),
}
#: Switches that bring no object: each has a test of its own below.
WITHIN = {
    "aggregator.stopped",
    "aggregator.persistence.enabled",
    "migrate.acceptLogStart",
    "clickhouse.secure",
}


def keys(objects: list[Object]) -> set[tuple[str, str]]:
    return {(one["kind"], one["metadata"]["name"]) for one in objects}


def switches(values: Values, path: str = "") -> set[str]:
    """The paths of all values that are true or false."""
    found = set()
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, bool):
            found.add(here)
        elif isinstance(value, dict):
            found |= switches(value, here)
    return found


def test_each_switch_of_the_values_has_its_test() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    # Free form: what Prometheus is told, not us.
    assert switches(values) - {"monitoring.ingestTlsConfig.insecureSkipVerify"} == {
        *BRINGS,
        *WITHIN,
    }


@pytest.mark.parametrize("switch", BRINGS)
def test_a_switch_brings_what_it_says(chart: Chart, checker: Checker, switch: str) -> None:
    values, brought = BRINGS[switch]
    on, off = (chart.render(values, at(switch, state)) for state in (True, False))
    assert keys(on) - keys(off) == brought
    assert keys(off) <= keys(on)
    for objects in (on, off):
        assert checker.problems(yaml.safe_dump_all(objects)) == []


def test_a_stopped_aggregator_has_no_worker_and_no_autoscaler_starts_one(chart: Chart) -> None:
    on = at("aggregator.autoscaling.enabled", True)
    assert workloads(chart.render())["aggregator"]["spec"]["replicas"] == 2
    stopped = chart.render(at("aggregator.stopped", True))
    assert workloads(stopped)["aggregator"]["spec"]["replicas"] == 0
    scaled = one(chart.render(on, at("aggregator.stopped", True)), "ScaledObject")
    assert scaled["metadata"]["annotations"] == {"autoscaling.keda.sh/paused-replicas": "0"}
    assert "annotations" not in one(chart.render(on), "ScaledObject")["metadata"]


def test_an_autoscaler_alone_says_how_many(chart: Chart) -> None:
    """A number in the workload would be put back at each upgrade."""
    scaled = chart.render(
        at("ingest.autoscaling.enabled", True), at("aggregator.autoscaling.enabled", True)
    )
    for component in ("ingest", "aggregator"):
        assert "replicas" not in workloads(scaled)[component]["spec"]
    fixed = chart.render({"ingest": {"replicas": 7}, "aggregator": {"replicas": 3}})
    assert workloads(fixed)["ingest"]["spec"]["replicas"] == 7
    assert workloads(fixed)["aggregator"]["spec"]["replicas"] == 3


def test_ids_are_on_a_volume_of_the_worker_or_on_its_node(chart: Chart) -> None:
    kept = workloads(chart.render({"aggregator": {"persistence": {"size": "33Gi"}}}))["aggregator"]
    (claim,) = kept["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "33Gi"
    assert kept["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenScaled": "Retain",
        "whenDeleted": "Delete",
    }
    values = {"aggregator": {"persistence": {"enabled": False}, "ephemeralSize": "3Gi"}}
    lost = workloads(chart.render(values))["aggregator"]
    assert "volumeClaimTemplates" not in lost["spec"]
    volumes = {volume["name"]: volume for volume in lost["spec"]["template"]["spec"]["volumes"]}
    assert volumes["state"]["emptyDir"] == {"sizeLimit": "3Gi"}
    assert "state" not in {volume["name"] for volume in kept["spec"]["template"]["spec"]["volumes"]}


def test_a_worker_is_not_waited_for_by_another(chart: Chart) -> None:
    spec = workloads(chart.render())["aggregator"]["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert one(chart.render(), "Service", "aggregator")["spec"]["clusterIP"] == "None"
    assert spec["serviceName"] == "wattoken-aggregator"


def test_an_exporter_ends_before_the_next_begins(chart: Chart) -> None:
    """Two of them would show totals twice, and write one file."""
    spec = workloads(chart.render())["exporter"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_log_s_beginning_is_accepted_only_where_asked(chart: Chart) -> None:
    for asked in (True, False):
        job = pods(chart.render(at("migrate.acceptLogStart", asked)))["migrate"]
        assert ("--accept-log-start" in container_of(job)["args"]) is asked


def test_clickhouse_is_asked_by_https_where_it_is_secure(chart: Chart) -> None:
    for secure in (True, False):
        found = pods(chart.render(at("clickhouse.secure", secure)))
        assert (
            environment_of(found["exporter"])["WATTOKEN_CLICKHOUSE_SECURE"] == str(secure).lower()
        )
        assert not any(
            name.startswith("WATTOKEN_CLICKHOUSE") for name in environment_of(found["ingest"])
        )


def test_kafka_with_tls_alone_needs_no_password(chart: Chart, checker: Checker) -> None:
    values = {
        "kafka": {
            "securityProtocol": "SSL",
            "users": {
                user: {"certificateSecret": f"wattoken-{user}"}
                for user in ("migrate", "ingest", "aggregator", "exporter")
            },
        },
        "aggregator": {"autoscaling": {"enabled": True}},
    }
    objects = chart.render(values)
    assert checker.problems(yaml.safe_dump_all(objects)) == []
    found = environment_of(pods(objects)["ingest"])
    assert not any("SASL" in name for name in found)
    assert found["WATTOKEN_KAFKA_SSL_KEY_FILE"] == "/secrets/kafka-certificate/tls.key"
    parameters = one(objects, "TriggerAuthentication")["spec"]
    assert {entry["parameter"] for entry in parameters["secretTargetRef"]} == {"cert", "key"}
    assert "env" not in parameters


def test_ingest_with_a_certificate_is_probed_and_scraped_by_https(chart: Chart) -> None:
    for secret, scheme in (("", "HTTP"), ("ingest-tls", "HTTPS")):
        objects = chart.render(
            at("ingest.tls.secret", secret), at("monitoring.serviceMonitor", True)
        )
        container = container_of(pods(objects)["ingest"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["scheme"] == scheme
        (endpoint,) = one(objects, "ServiceMonitor", "ingest")["spec"]["endpoints"]
        assert endpoint.get("scheme", "http") == scheme.lower()
        (other,) = one(objects, "ServiceMonitor", "exporter")["spec"]["endpoints"]
        assert "scheme" not in other


def test_each_component_may_be_of_another_version(chart: Chart) -> None:
    """Workers come before ingest (docs/kubernetes.md, "Upgrading")."""
    digest = f"sha256:{'1' * 64}"
    values: dict[str, Any] = {
        "image": {"repository": "registry.example.org/wattoken", "tag": "0.2.0"},
        "ingest": {"image": {"tag": "0.1.0"}},
        "exporter": {"image": {"digest": digest}},
    }
    images = {
        component: container_of(pod)["image"].removeprefix("registry.example.org/wattoken")
        for component, pod in pods(chart.render(values)).items()
    }
    assert images == {
        "migrate": ":0.2.0",
        "aggregator": ":0.2.0",
        "ingest": ":0.1.0",
        "exporter": f"@{digest}",
    }
    # A digest of all does not win over one's own tag.
    values["image"]["digest"] = digest
    assert container_of(pods(chart.render(values))["ingest"])["image"].endswith(":0.1.0")


def test_pods_are_placed_as_told_each_kind_by_itself(chart: Chart) -> None:
    for component in ("migrate", "ingest", "aggregator", "exporter"):
        found = pods(chart.render({component: PLACED}))
        for other, pod in found.items():
            placed = {"nodeSelector", "tolerations", "affinity", "priorityClassName"} & set(
                pod["spec"]
            )
            assert len(placed) == (4 if other == component else 0)
            assert ("example.org/c" in pod["metadata"]["labels"]) is (other == component)


@pytest.mark.parametrize("zones", ["ScheduleAnyway", "DoNotSchedule", "Off"])
@pytest.mark.parametrize("nodes", ["ScheduleAnyway", "DoNotSchedule", "Off"])
def test_pods_of_a_kind_are_spread(chart: Chart, zones: str, nodes: str) -> None:
    found = pods(chart.render({"topologySpread": {"zones": zones, "nodes": nodes}}))
    wanted = {
        key: how
        for key, how in (("topology.kubernetes.io/zone", zones), ("kubernetes.io/hostname", nodes))
        if how != "Off"
    }
    for component in ("ingest", "aggregator"):
        spread = found[component]["spec"].get("topologySpreadConstraints", [])
        assert {one["topologyKey"]: one["whenUnsatisfiable"] for one in spread} == wanted


def test_a_pod_has_the_time_that_its_service_takes_to_end(chart: Chart) -> None:
    objects = chart.render({"ingest": {"preStopSeconds": 7, "shutdownTimeoutSeconds": 31}})
    ingest = pods(objects)["ingest"]
    assert container_of(ingest)["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}
    told = float(environment_of(ingest)["WATTOKEN_INGEST_SHUTDOWN_TIMEOUT_SECONDS"])
    assert told == 31
    assert ingest["spec"]["terminationGracePeriodSeconds"] > 7 + told
    default = pods(chart.render())["ingest"]
    given = float(environment_of(default)["WATTOKEN_INGEST_SHUTDOWN_TIMEOUT_SECONDS"])
    assert given == IngestSettings().ingest_shutdown_timeout_seconds
    assert "lifecycle" not in container_of(
        pods(chart.render(at("ingest.preStopSeconds", 0)))["ingest"]
    )
    # As docker-compose.yml has them.
    from tests.contract.compose_file import services

    assert pods(objects)["aggregator"]["spec"]["terminationGracePeriodSeconds"] >= int(
        services()["aggregator"]["stop_grace_period"].removesuffix("s")
    )
    from services.exporter.app import _STOP_SECONDS

    assert pods(objects)["exporter"]["spec"]["terminationGracePeriodSeconds"] > _STOP_SECONDS


def test_a_catalogue_is_given_to_those_who_read_it(chart: Chart) -> None:
    files = {"models.yaml": "models: []\n"}
    for values, maps in (
        (at("catalogue.files", files), {"wattoken-catalogue", "wattoken-catalogue-migrate"}),
        (at("catalogue.existingConfigMap", "mine"), {"mine"}),
        ({}, set()),
    ):
        objects = chart.render(values)
        made = named(objects, "ConfigMap")
        assert set(made) == maps - {"mine"}
        assert all(one["data"] == files for one in made.values())
        used = set()
        for component, pod in pods(objects).items():
            mounted = {
                volume["configMap"]["name"]
                for volume in pod["spec"]["volumes"]
                if "configMap" in volume
            }
            reads = environment_of(pod).get("WATTOKEN_CATALOGUE_DIR")
            assert bool(mounted) == (reads is not None)
            assert not mounted or component in ("migrate", "ingest")
            used |= mounted
        assert used == maps


def test_names_stay_short_enough_whatever_they_are_made_of(chart: Chart, checker: Checker) -> None:
    objects = chart.render(EVERYTHING, {"fullnameOverride": "a" * 90})
    longest = max(len(str(value)) for key, value in walk(objects) if key == "name")
    assert longest <= 63
    # A StatefulSet labels each pod with its name and a hash.
    assert len(workloads(objects)["aggregator"]["metadata"]["name"]) + 11 <= 63
    assert checker.problems(yaml.safe_dump_all(objects)) == []


@pytest.mark.parametrize("size", ["team", "fleet"])
def test_a_network_policy_lets_out_what_is_needed_and_nothing_else(chart: Chart, size: str) -> None:
    objects = chart.render(of_size(size))
    kafka = {"team": {9093}, "fleet": {9093, 9094}}[size]
    clickhouse = {"team": {8123}, "fleet": {8443}}[size]
    for component in ("migrate", "ingest", "aggregator", "exporter"):
        policy = one(objects, "NetworkPolicy", component)["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        out = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
        assert out == {53} | kafka | (clickhouse if component != "ingest" else set())
        assert ("ingress" in policy) is (component != "migrate")


def test_a_network_policy_lets_in_whom_it_is_told(chart: Chart) -> None:
    peers = {
        name: [{"namespaceSelector": {"matchLabels": {"who": name}}}]
        for name in ("ingestFrom", "exporterFrom", "metricsFrom")
    }
    on = {"networkPolicy": {"enabled": True}}

    def into(objects: list[Object], component: str) -> set[str] | None:
        (rule,) = one(objects, "NetworkPolicy", component)["spec"]["ingress"]
        if "from" not in rule:
            return None
        return {peer["namespaceSelector"]["matchLabels"]["who"] for peer in rule["from"]}

    told = chart.render(on, {"networkPolicy": peers})
    assert into(told, "ingest") == {"ingestFrom", "metricsFrom"}
    assert into(told, "exporter") == {"exporterFrom", "metricsFrom"}
    assert into(told, "aggregator") == {"metricsFrom"}
    only_metrics = chart.render(on, at("networkPolicy.metricsFrom", peers["metricsFrom"]))
    assert into(only_metrics, "ingest") is None
    assert into(only_metrics, "aggregator") == {"metricsFrom"}
    only_ingest = chart.render(on, at("networkPolicy.ingestFrom", peers["ingestFrom"]))
    assert into(only_ingest, "ingest") == {"ingestFrom"}
    assert into(only_ingest, "exporter") is None


def test_passwords_of_the_values_reach_keda_too(chart: Chart) -> None:
    objects = chart.render(PASSWORDS, at("aggregator.autoscaling.enabled", True))
    (password,) = [
        entry
        for entry in one(objects, "TriggerAuthentication")["spec"]["secretTargetRef"]
        if entry["parameter"] == "password"
    ]
    assert password["key"] in named(objects, "Secret")[password["name"]]["data"]


def test_keda_may_be_somebody_else(chart: Chart) -> None:
    on = over(PASSWORDS, at("aggregator.autoscaling.enabled", True))
    objects = chart.render(on, at("aggregator.autoscaling.authenticationRef", "mine"))
    assert named(objects, "TriggerAuthentication") == {}
    (trigger,) = one(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": "mine"}
