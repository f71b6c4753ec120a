"""The chart as the tests render it, and what is asked of the objects."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.contract.compose_file import ROOT

CHART: Final = ROOT / "deploy/helm/wattoken"
MANIFESTS: Final = ROOT / "deploy/kubernetes"
SIZES: Final = ("laptop", "team", "fleet")
RELEASE, NAMESPACE = "wattoken", "metering"
Values = Mapping[str, Any]
Object = dict[str, Any]

#: The least that a render needs beside the chart's own values.
LEAST: Final[Values] = {
    "kafka": {"bootstrapServers": "kafka:9092"},
    "clickhouse": {
        "host": "clickhouse",
        "users": {
            user: {"existingSecret": "theirs"} for user in ("migrate", "aggregator", "exporter")
        },
    },
    "ingest": {"keys": {"existingSecret": "keys"}},
}
#: What values-fleet.yaml leaves to be given.
ADDRESSES: Final[Values] = {
    "kafka": {"bootstrapServers": "kafka-0.example.org:9093,kafka-1.example.org:9094"},
    "clickhouse": {"host": "clickhouse.example.org"},
}


class Refused(Exception):
    """Helm did not render; the text is what it said."""


def over(values: Values, *more: Values) -> dict[str, Any]:
    """Values with others over them, as Helm lays one file over another."""
    result = copy.deepcopy(dict(values))
    for layer in more:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(value, Mapping) and isinstance(below, dict):
                result[key] = over(below, value)
            else:
                result[key] = copy.deepcopy(value)
    return result


def at(path: str, value: object) -> dict[str, Any]:
    """Values with one in its place: ``a.b`` and 1 are {a: {b: 1}}."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def size_file(size: str) -> Path:
    """The values file of a size."""
    return CHART / f"values-{size}.yaml"


def of_size(size: str) -> dict[str, Any]:
    """The values of a size, with the addresses that one of them leaves out."""
    values = yaml.safe_load(size_file(size).read_text(encoding="utf-8"))
    return over(values, ADDRESSES) if size == "fleet" else values


@functools.cache
def rendered(helm: Path, values: str, options: tuple[str, ...]) -> tuple[int, str, str]:
    """Exit code and outputs of one render; many tests ask for the same."""
    command = [str(helm), "template", RELEASE, str(CHART), "--namespace", NAMESPACE, *options]
    done = subprocess.run(
        [*command, "--values", "-"], input=values, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@dataclass(frozen=True, slots=True)
class Chart:
    """Renders the chart with the real helm."""

    helm: Path

    def text(self, *layers: Values, options: Sequence[str] = ()) -> str:
        """What ``helm template`` prints; raises `Refused` with what it says instead."""
        values = json.dumps(over({}, *layers), sort_keys=True)
        code, out, said = rendered(self.helm, values, tuple(options))
        if code != 0:
            raise Refused(said)
        return out

    def render(self, *layers: Values) -> list[Object]:
        """The objects of a release, `LEAST` below the layers."""
        return objects_of(self.text(LEAST, *layers))


def objects_of(text: str) -> list[Object]:
    """The objects of a stream of YAML."""
    # The parser in C, where PyYAML was built with it: the alerts are long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [found for found in yaml.load_all(text, loader) if found]


def named(objects: Sequence[Object], kind: str) -> dict[str, Object]:
    """The objects of a kind, by name."""
    found = [one for one in objects if one["kind"] == kind]
    names = [one["metadata"]["name"] for one in found]
    assert len(set(names)) == len(names), names
    return dict(zip(names, found, strict=True))


def one(objects: Sequence[Object], kind: str, component: str | None = None) -> Object:
    """The only object of a kind, or of a component."""
    (found,) = [
        candidate
        for candidate in objects
        if candidate["kind"] == kind
        and component in (None, candidate["metadata"]["labels"]["app.kubernetes.io/component"])
    ]
    return found


WORKLOADS: Final = ("Deployment", "StatefulSet", "Job")


def workloads(objects: Sequence[Object]) -> dict[str, Object]:
    """What runs pods, by component."""
    found = [candidate for candidate in objects if candidate["kind"] in WORKLOADS]
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in found}


def pods(objects: Sequence[Object]) -> dict[str, Object]:
    """The templates of pods, by component."""
    return {name: workload["spec"]["template"] for name, workload in workloads(objects).items()}


def container_of(pod: Object) -> Object:
    """The only container of a pod."""
    (container,) = pod["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def environment_of(pod: Object) -> dict[str, str]:
    """The variables of a pod that have a value, none of them twice."""
    variables = container_of(pod)["env"]
    names = [variable["name"] for variable in variables]
    assert len(set(names)) == len(names), names
    return {variable["name"]: variable["value"] for variable in variables if "value" in variable}


def walk(value: object) -> Iterator[tuple[str, Any]]:
    """Every key of an object with its value, at any depth."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield key, below
            yield from walk(below)
    elif isinstance(value, list):
        for below in value:
            yield from walk(below)


@dataclass(frozen=True, slots=True)
class Checker:
    """What the API server would say of objects (tests/helm/program/checker)."""

    program: Path
    schemas: tuple[Path, ...]

    def problems(self, text: str) -> list[str]:
        """What is wrong in a stream of YAML, a line each: object, place, what."""
        done = subprocess.run(
            [self.program, *self.schemas], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        said = done.stdout.splitlines()
        assert bool(said) == (done.returncode == 1), done.stderr
        return said
