"""Each size of the chart is what the API server, KEDA and the Prometheus operator take as it is."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.helm.chart import (
    LEAST,
    SIZES,
    Chart,
    Checker,
    Values,
    named,
    of_size,
    over,
    pods,
    size_file,
    workloads,
)

PASSWORDS: Final[Values] = {
    "kafka": {
        "securityProtocol": "SASL_SSL",
        "ca": {"secret": "ca-k"},
        "users": {
            user: {"username": user, "password": "made-up", "certificateSecret": "ours"}
            for user in ("migrate", "ingest", "aggregator", "exporter")
        },
    },
    "clickhouse": {
        "secure": True,
        "ca": {"secret": "ca-c"},
        "users": {
            user: {"existingSecret": "", "password": "made-up", "certificateSecret": "ours"}
            for user in ("migrate", "aggregator", "exporter")
        },
    },
    "ingest": {
        "keys": {"existingSecret": "", "file": "keys: []", "pepper": "made-up"},
        "tls": {"secret": "tls"},
    },
}
PLACED: Final[dict[str, Any]] = {
    "podAnnotations": {"example.org/a": "b"},
    "podLabels": {"example.org/c": "d"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"app": "batch"}},
                    },
                }
            ]
        }
    },
    "priorityClassName": "metering",
    "extraEnv": [
        {"name": "TZ", "value": "UTC"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ],
}
PEER: Final = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "there"}}}
#: All that can be switched on, and something in each value that may stay empty.
EVERYTHING: Final[Values] = over(
    PASSWORDS,
    {
        "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": ["registry"]},
        "catalogue": {"files": {"models.yaml": "models: []\n"}},
        "migrate": {"acceptLogStart": True, **PLACED},
        "ingest": {
            "autoscaling": {"enabled": True},
            "service": {"type": "LoadBalancer", "annotations": {"example.org/e": "f"}},
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "host": "meter.example.org",
                "tlsSecret": "cert",
                "annotations": {"example.org/g": "h"},
            },
            "podDisruptionBudget": {"maxUnavailable": "25%"},
            **PLACED,
        },
        "aggregator": {
            "autoscaling": {"enabled": True},
            "persistence": {"storageClass": "fast"},
            **PLACED,
        },
        "exporter": {"persistence": {"storageClass": "fast"}, **PLACED},
        "serviceAccount": {"annotations": {"example.org/i": "j"}},
        "networkPolicy": {
            "enabled": True,
            "kafkaPorts": [9095],
            **{peers: [PEER] for peers in ("ingestFrom", "exporterFrom", "metricsFrom", "kafkaTo")},
            "clickhouseTo": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
            "dnsTo": [PEER],
        },
        "monitoring": {
            "serviceMonitor": True,
            "prometheusRule": True,
            "labels": {"release": "prometheus"},
        },
    },
)
CASES: Final[dict[str, Values]] = {
    "the least": {},
    "everything": EVERYTHING,
    **{size: of_size(size) for size in SIZES},
}


@pytest.mark.parametrize("case", CASES)
def test_kubernetes_takes_it(chart: Chart, checker: Checker, case: str) -> None:
    assert checker.problems(chart.text(LEAST, CASES[case])) == []


@pytest.mark.parametrize("case", CASES)
def test_every_pod_gives_away_no_right_and_takes_a_bounded_part_of_its_node(
    chart: Chart, case: str
) -> None:
    """Beyond what "restricted" asks for, which the checker holds."""
    found = pods(chart.render(CASES[case]))
    assert set(found) == {"migrate", "ingest", "aggregator", "exporter"}
    for name, pod in found.items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        # A Service of the release's name would set WATTOKEN_…_PORT to an address.
        assert spec["enableServiceLinks"] is False, name
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        for volume in spec["volumes"]:
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], f"{name}: {volume['name']}"


@pytest.mark.parametrize("size", SIZES)
def test_a_size_is_written_into_one_file_that_helm_reads_as_it_is(
    chart: Chart, tmp_path: Any, size: str
) -> None:
    values = of_size(size)
    assert size_file(size).read_text(encoding="utf-8").startswith("# ")
    assert named(chart.render(values), "Deployment").keys() == {
        "wattoken-ingest",
        "wattoken-exporter",
    }


def test_sizes_grow(chart: Chart) -> None:
    def shape(size: str) -> tuple[object, ...]:
        objects = chart.render(of_size(size))
        kinds = [one["kind"] for one in objects]
        aggregator = workloads(objects)["aggregator"]["spec"]
        return (
            "HorizontalPodAutoscaler" in kinds,
            "ScaledObject" in kinds,
            kinds.count("PodDisruptionBudget"),
            kinds.count("NetworkPolicy"),
            kinds.count("ServiceMonitor"),
            "volumeClaimTemplates" in aggregator,
        )

    assert shape("laptop") == (False, False, 0, 0, 0, False)
    assert shape("team") == (True, False, 2, 4, 3, True)
    assert shape("fleet") == (True, True, 2, 4, 3, True)


MISTAKES: Final[dict[str, tuple[str, str, str]]] = {
    "a field that there is not": (
        "terminationGracePeriodSeconds",
        "terminationGracePeriodSecond",
        "terminationGracePeriodSecond",
    ),
    "a value of another type": ("replicas: 2", "replicas: two", "replicas"),
    "a volume that nobody has": ("{name: tmp, mountPath", "{name: temp, mountPath", "temp"),
    "a right": ("drop: [ALL]", "add: [SYS_ADMIN]", "capabilities"),
    "root": ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
    "a probe before it was": ("periodSeconds: 2", "periodSeconds: -2", "periodSeconds"),
    "a variable twice": ("WATTOKEN_KAFKA_TOPIC,", "WATTOKEN_LOG_LEVEL,", "WATTOKEN_LOG_LEVEL"),
    "no such interval": ("interval: 15s", "interval: 15", "interval"),
    "a trigger without a type": ("type: kafka", "typ: kafka", "type"),
    "a selector that matches not its pods": (
        "app.kubernetes.io/component: exporter\n        app.kubernetes.io/part-of",
        "app.kubernetes.io/component: export\n        app.kubernetes.io/part-of",
        "selector",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_checker_would_see(chart: Chart, checker: Checker, mistake: str) -> None:
    old, new, told = MISTAKES[mistake]
    text = chart.text(LEAST, CASES["fleet"], {"aggregator": {"autoscaling": {"enabled": True}}})
    text += "---\n" + chart.text(LEAST)
    broken = text.replace(old, new)
    assert broken != text, f"nothing says {old!r} any more"
    assert any(told in problem for problem in checker.problems(broken))
