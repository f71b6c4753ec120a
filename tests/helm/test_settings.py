"""What the chart puts into a pod's environment is what the services read, and valid there."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest
from pydantic_settings import BaseSettings

from services.platform.settings import read_settings
from tests.helm.chart import (
    SIZES,
    Chart,
    Refused,
    at,
    container_of,
    environment_of,
    of_size,
    one,
    over,
    pods,
)
from tests.helm.test_sizes import EVERYTHING
from tools.charts.settings import COMPONENTS, PATH, WITHHELD, names, render

CASES = {"the least": {}, "everything": EVERYTHING, **{size: of_size(size) for size in SIZES}}


def read(component: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the classes of a component read an environment; they refuse what is not valid."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for cls in COMPONENTS[component]:
        assert isinstance(read_settings(cls), BaseSettings)


def test_the_committed_names_are_the_generated_ones() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "run `make docs`"


@pytest.mark.parametrize("case", CASES)
def test_each_variable_is_a_setting_of_that_component_and_valid(
    chart: Chart, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for component, pod in pods(chart.render(CASES[case])).items():
        known = set(names(COMPONENTS[component]))
        given = {
            variable["name"]
            for variable in container_of(pod)["env"]
            if variable["name"] not in ("TZ", "NODE")
        }
        assert given <= known, f"{component}: {given - known}"
        with monkeypatch.context() as patched:
            read(component, environment_of(pod), patched)


@pytest.mark.parametrize("case", CASES)
def test_each_file_that_a_setting_names_is_mounted(chart: Chart, case: str) -> None:
    for component, pod in pods(chart.render(CASES[case])).items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        mounts = {
            PurePosixPath(mount["mountPath"]): volumes[mount["name"]]
            for mount in container_of(pod)["volumeMounts"]
            if mount["name"] in volumes
        }
        files = {
            PurePosixPath(value)
            for name, value in environment_of(pod).items()
            if name.endswith("_FILE")
        }
        assert files, component
        for file in files:
            items = mounts[file.parent]["secret"]["items"]
            assert file.name in {item["path"] for item in items}, f"{component}: {file}"
        # And nothing is mounted that nobody reads.
        folders = {path for path in mounts if path.is_relative_to("/secrets")}
        assert folders == {file.parent for file in files}


def test_where_a_service_writes_is_where_it_may(chart: Chart) -> None:
    for enabled in (True, False):
        persistence = {"persistence": {"enabled": enabled}}
        objects = chart.render({"aggregator": persistence, "exporter": persistence})
        for component in ("aggregator", "exporter"):
            pod = pods(objects)[component]
            variable = f"WATTOKEN_{component}_STATE_DIR".upper()
            mounts = {
                mount["mountPath"]: mount["name"]
                for mount in container_of(pod)["volumeMounts"]
                if not mount.get("readOnly")
            }
            assert mounts == {"/tmp": "tmp", environment_of(pod)[variable]: "state"}
    dockerfile = (Path(PATH).parents[2] / "docker/Dockerfile").read_text(encoding="utf-8")
    user = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert user is not None
    context = pods(objects)["ingest"]["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == tuple(map(int, user.groups()))
    # What is mounted is the group's.
    assert context["fsGroup"] == context["runAsGroup"]


def test_a_worker_has_a_name_that_outlives_it(chart: Chart) -> None:
    (variable,) = [
        variable
        for variable in container_of(pods(chart.render())["aggregator"])["env"]
        if variable["name"] == "WATTOKEN_AGGREGATOR_INSTANCE_ID"
    ]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@pytest.mark.parametrize("value", [67108864, 1_000_000_000_000, 0.25, True, "text"])
def test_a_further_setting_comes_as_it_is_written(chart: Chart, value: object) -> None:
    """Helm holds numbers as floats, and would write 6.7108864e+07."""
    name = "WATTOKEN_AGGREGATOR_FETCH_BYTES_MAX"
    pod = pods(chart.render(at(f"aggregator.settings.{name}", value)))["aggregator"]
    expected = str(value).lower() if isinstance(value, bool) else str(value)
    assert environment_of(pod)[name] == expected


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_setting_of_a_component_can_be_set(chart: Chart, component: str) -> None:
    own = {variable["name"] for variable in container_of(pods(chart.render())[component])["env"]}
    own |= {"WATTOKEN_KAFKA_SASL_USERNAME", "WATTOKEN_KAFKA_SASL_MECHANISM"}
    free = set(names(COMPONENTS[component])) - own
    pod = pods(chart.render(at(f"{component}.settings", dict.fromkeys(free, "x"))))[component]
    assert environment_of(pod).keys() >= free
    assert WITHHELD.isdisjoint(environment_of(pod))


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("way", ["settings", "extraEnv"])
def test_a_name_that_is_misspelt_or_set_already_is_refused(
    chart: Chart, component: str, way: str
) -> None:
    def layer(name: str) -> dict[str, object]:
        given = {name: "x"} if way == "settings" else [{"name": name, "value": "x"}]
        return at(f"{component}.{way}", given)

    with pytest.raises(Refused, match=rf"{component}\.{way}.*WATTOKEN_KAFKA_TOPIC"):
        chart.render(layer("WATTOKEN_KAFKA_TOPIC"))
    if way == "settings":
        with pytest.raises(Refused, match=f"{component}.settings.WATTOKEN_KAFKA_TOPICS"):
            chart.render(layer("WATTOKEN_KAFKA_TOPICS"))
        with pytest.raises(Refused, match=f"{component}.settings.WATTOKEN_KAFKA_SASL_PASSWORD"):
            chart.render(layer("WATTOKEN_KAFKA_SASL_PASSWORD"))


def test_migrate_and_ingest_go_by_one_age(chart: Chart) -> None:
    objects = chart.render({"maxEventAgeDays": 60})
    assert environment_of(pods(objects)["ingest"])["WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS"] == "60"
    assert "--max-event-age-days=60" in container_of(pods(objects)["migrate"])["args"]


def test_each_command_is_one_of_the_cli(chart: Chart) -> None:
    from tests.contract.test_compose import wattoken

    objects = chart.render(over({"migrate": {"acceptLogStart": True}}))
    for component, pod in pods(objects).items():
        command, context = wattoken(container_of(pod)["args"])
        assert command.name == component
        assert context.args == []
    _, context = wattoken(container_of(one(objects, "Job")["spec"]["template"])["args"])
    assert context.params == {
        "partitions": 12,
        "replication_factor": 3,
        "retention_days": 7,
        "max_event_age_days": 35,
        "accept_log_start": True,
        "cluster": None,
        "server": (),
        "print_sql": False,
    }
