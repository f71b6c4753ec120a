"""The bills of materials of a release, from the locks and the Dockerfile."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools.release.errors import ReleaseError
from tools.release.lock_graph import graph_of
from tools.release.repository import Repository
from tools.release.sbom import Other, Subject, bill
from tools.supply_chain.components import ROOT, VENDORED
from tools.supply_chain.licences import TO_DEVELOP, licences_on

DOCKERFILE: Final = "deploy/docker/Dockerfile"
LICENCES: Final = "docs/licences.md"
THIRD_PARTY: Final = "tools/supply_chain/third_party.toml"
#: Where the bills are written; nothing there is committed.
FOLDER: Final = "out/release"
#: What markers go by in the image, whose Python the Dockerfile names, on all its processors.
IN_THE_IMAGE: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
}


def write_bills(repository: Repository, version: str) -> Iterator[Path]:
    """Write the bills of what is checked out, and give their places. Raises `ReleaseError`."""
    folder = repository.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (
        (f"wattoken-{version}.cdx.json", of_the_package(repository, version)),
        (f"wattoken-image-{version}.cdx.json", of_the_image(repository, version)),
    ):
        path = folder / name
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        yield path


def of_the_package(repository: Repository, version: str) -> dict[str, Any]:
    """What the package may run with: all extras but those for work on it, on every system."""
    lock = tomllib.loads(repository.read("uv.lock"))
    project = tomllib.loads(repository.read("pyproject.toml"))["project"]
    extras = sorted(project["optional-dependencies"].keys() - TO_DEVELOP)
    return bill(
        subject(repository, project, "application", version),
        graph_of(lock, extras, None),
        vendored(repository),
        licences_on(repository.read(LICENCES)),
    )


def of_the_image(repository: Repository, version: str) -> dict[str, Any]:
    """What the image has: its extras, on its Python, and the image below it."""
    lock = tomllib.loads(repository.read("uv.lock"))
    project = tomllib.loads(repository.read("pyproject.toml"))["project"]
    dockerfile = repository.read(DOCKERFILE)
    python = re.search(r"^ARG PYTHON_IMAGE=python:((\d+\.\d+)\S*)$", dockerfile, re.MULTILINE)
    if python is None:
        raise ReleaseError(f"{DOCKERFILE} has no line 'ARG PYTHON_IMAGE=python:VERSION@DIGEST'")
    tag, _, digest = python[1].partition("@")
    release = tag.partition("-")[0]
    environment = {**IN_THE_IMAGE, "python_version": python[2], "python_full_version": release}
    base = Other(
        kind="container",
        name="python",
        version=tag,
        purl=f"pkg:docker/python@{digest.replace(':', '%3A')}?tag={tag}",
        opaque=True,
    )
    return bill(
        subject(repository, project, "container", version),
        graph_of(lock, image_extras(dockerfile), environment),
        [*vendored(repository), base],
        licences_on(repository.read(LICENCES)),
    )


def image_extras(dockerfile: str) -> list[str]:
    """The extras that the image is built with. Raises `ReleaseError` if its steps differ."""
    steps = [
        tuple(re.findall(r"--extra (\S+)", line))
        for line in re.findall(r"^RUN uv sync --frozen .*$", dockerfile, re.MULTILINE)
    ]
    if not steps or len(set(steps)) != 1:
        raise ReleaseError(f"{DOCKERFILE}: `uv sync` is not with the same extras each time")
    return list(steps[0])


def vendored(repository: Repository) -> list[Other]:
    """The npm packages whose files are committed as they came."""
    text = repository.read(VENDORED.relative_to(ROOT).as_posix())
    programs = tomllib.loads(repository.read(THIRD_PARTY))["program"]
    licences = {each["name"].lower(): each["licence"] for each in programs}
    return [
        Other("library", name, version, f"pkg:npm/{name}@{version}", licences.get(name.lower()))
        for name, version in sorted(set(re.findall(r"npm package `([^`@]+)@([^`]+)`", text)))
    ]


def subject(repository: Repository, project: Mapping[str, Any], kind: str, version: str) -> Subject:
    """Whose bill it is: the commit that is checked out, and its time."""
    revision, seconds = repository.git("log", "-1", "--format=%H %ct").split()
    at = datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
    name = str(project["name"])
    return Subject(kind, name, version, revision, str(project["urls"]["Repository"]), at)
