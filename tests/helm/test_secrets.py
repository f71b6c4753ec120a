"""A password is in a Secret and nowhere else, and each component has its own only."""

from __future__ import annotations

import base64
import json

import pytest

from tests.helm.chart import Chart, named, of_size, over, pods
from tests.helm.test_sizes import PASSWORDS

COMPONENTS = ("migrate", "ingest", "aggregator", "exporter")
#: A password for each component and server, so that one in a wrong place is seen.
OWN = over(
    PASSWORDS,
    {
        "kafka": {"users": {user: {"password": f"made-up-kafka-{user}"} for user in COMPONENTS}},
        "clickhouse": {
            "users": {
                user: {"password": f"made-up-clickhouse-{user}"}
                for user in COMPONENTS
                if user != "ingest"
            }
        },
        "ingest": {"keys": {"file": "made-up-keys", "pepper": "made-up-pepper"}},
    },
)


def test_what_is_made_of_values_is_in_secrets_only(chart: Chart) -> None:
    objects = chart.render(OWN)
    secrets = named(objects, "Secret")
    assert {
        name: {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        for name, one in secrets.items()
    } == {
        "wattoken-migrate": {
            "kafka": "made-up-kafka-migrate",
            "clickhouse": "made-up-clickhouse-migrate",
        },
        "wattoken-ingest": {"kafka": "made-up-kafka-ingest"},
        "wattoken-aggregator": {
            "kafka": "made-up-kafka-aggregator",
            "clickhouse": "made-up-clickhouse-aggregator",
        },
        "wattoken-exporter": {
            "kafka": "made-up-kafka-exporter",
            "clickhouse": "made-up-clickhouse-exporter",
        },
        "wattoken-ingest-keys": {"keys.yaml": "made-up-keys", "pepper": "made-up-pepper"},
    }
    others = [one for one in objects if one["kind"] != "Secret"]
    assert "made-up" not in json.dumps(others)
    for component, pod in pods(objects).items():
        used = {
            volume["secret"]["secretName"]
            for volume in pod["spec"]["volumes"]
            if "secret" in volume
        }
        made = used & secrets.keys()
        expected = {f"wattoken-{component}"}
        assert made == expected | ({"wattoken-ingest-keys"} if component == "ingest" else set())


@pytest.mark.parametrize("size", ["laptop", "team", "fleet"])
def test_secrets_that_are_there_are_used_by_name_and_none_is_made(chart: Chart, size: str) -> None:
    objects = chart.render(of_size(size))
    assert named(objects, "Secret") == {}
    items = {
        component: {
            (volume["secret"]["secretName"], item["key"], item["path"])
            for volume in pod["spec"]["volumes"]
            if "secret" in volume
            for item in volume["secret"]["items"]
        }
        for component, pod in pods(objects).items()
    }
    assert ("wattoken-keys", "keys.yaml", "keys.yaml") in items["ingest"]
    assert ("wattoken-clickhouse", "exporter", "password") in items["exporter"]
    assert all("clickhouse" not in secret for secret, _, _ in items["ingest"])
    if size == "team":
        assert ("wattoken-aggregator", "password", "password") in items["aggregator"]
    if size == "fleet":
        assert ("wattoken-kafka", "aggregator", "password") in items["aggregator"]


def test_only_the_group_of_its_user_reads_a_secret(chart: Chart) -> None:
    for pod in pods(chart.render(OWN)).values():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440


def test_pods_start_again_when_a_password_of_the_values_changes_and_not_for_a_key(
    chart: Chart,
) -> None:
    def annotations(*layers: dict[str, object]) -> dict[str, object]:
        return {
            component: pod["metadata"].get("annotations")
            for component, pod in pods(chart.render(OWN, *layers)).items()
        }

    before = annotations()
    after = annotations({"kafka": {"users": {"exporter": {"password": "made-up-new"}}}})
    assert {one for one in COMPONENTS if before[one] != after[one]} == {"exporter"}
    # Ingest takes a change of its keys over by itself.
    assert annotations({"ingest": {"keys": {"file": "made-up-more"}}}) == before


def test_what_the_job_needs_is_there_before_it(chart: Chart) -> None:
    values = over(
        OWN, {"networkPolicy": {"enabled": True}, "catalogue": {"files": {"models.yaml": "a"}}}
    )
    objects = chart.render(values)
    hooks = [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    weights: dict[str, set[int]] = {}
    for one in hooks:
        annotations = one["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        weights.setdefault(one["kind"], set()).add(int(annotations["helm.sh/hook-weight"]))
    assert weights.pop("Job") == {0}
    assert set(weights) == {"Secret", "ConfigMap", "ServiceAccount", "NetworkPolicy"}
    assert all(weight < 0 for found in weights.values() for weight in found)
    # All that the Job's pod names is a hook, or was there before.
    made = {(one["kind"], one["metadata"]["name"]) for one in objects}
    hooked = {(one["kind"], one["metadata"]["name"]) for one in hooks}
    spec = pods(objects)["migrate"]["spec"]
    wanted = {("ServiceAccount", spec["serviceAccountName"])}
    for volume in spec["volumes"]:
        if "secret" in volume:
            wanted.add(("Secret", volume["secret"]["secretName"]))
        if "configMap" in volume:
            wanted.add(("ConfigMap", volume["configMap"]["name"]))
    assert wanted & made <= hooked
    # And nothing else of the release relies on what ends with a hook.
    for component in ("ingest", "aggregator", "exporter"):
        text = json.dumps(pods(objects)[component])
        assert all(f'"{name}"' not in text for _, name in hooked)
