"""One version everywhere, and bills of materials that are what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from typing import Any

import pytest
from packaging.markers import Marker

from services.local_stack.errors import ComponentMissing
from tests.contract.compose_file import DOCKERFILE, ROOT
from tests.cyclonedx import bill_validator
from tools.release.changelog import UNRELEASED, section
from tools.release.errors import ReleaseError
from tools.release.materials import IN_THE_IMAGE, image_extras, of_the_image, of_the_package
from tools.release.repository import Repository
from tools.release.upgrade_notes import NEXT, PAGE
from tools.release.versions import DECIDES, PLACES, Place, said

UV = ROOT / ".bootstrap/bin/uv"


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.path} {place.before}")
def test_every_place_says_the_version_that_pyproject_says(place: Place) -> None:
    decided = said(DECIDES, (ROOT / DECIDES.path).read_text())
    assert len(decided) == 1
    assert said(place, (ROOT / place.path).read_text()) == decided


def test_a_release_could_be_cut() -> None:
    assert isinstance(section((ROOT / "CHANGELOG.md").read_text(), UNRELEASED), str)
    assert f"\n{NEXT}\n" in (ROOT / PAGE).read_text()


def test_every_migration_is_in_the_notes_for_upgrades() -> None:
    page = (ROOT / PAGE).read_text()
    told = {
        number
        for first, last in re.findall(r"^\| (\d{4})(?:(?: to |, )(\d{4}))?: ", page, re.MULTILINE)
        for number in range(int(first), int(last or first) + 1)
    }
    there = {int(path.name[:4]) for path in (ROOT / "schemas/clickhouse").glob("*.sql")}
    # The first four came with the first commit: there is nothing before them.
    assert there - told <= {1, 2, 3, 4}
    assert told <= there


@cache
def bills() -> dict[str, Any]:
    repository = Repository(ROOT)
    try:
        repository.git("rev-parse", "HEAD")
    except ReleaseError:
        pytest.skip("there is no git history here, whose commit a bill names")
    return {
        "package": of_the_package(repository, "0.0.0"),
        "image": of_the_image(repository, "0.0.0"),
    }


@pytest.mark.parametrize("which", ["package", "image"])
def test_a_bill_is_one_by_cyclonedx_own_schema(which: str) -> None:
    try:
        validator = bill_validator(print)
    except ComponentMissing as error:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"CI must have every component: {error}", pytrace=False)
        pytest.skip(str(error))
    document = json.loads(json.dumps(bills()[which]))
    assert [error.message for error in validator.iter_errors(document)] == []
    for planted in (
        {**document, "specVersion": 1.6},
        {**document, "components": [{**document["components"][0], "type": "wheel"}]},
        {**document, "components": [{**document["components"][0], "licence": "MIT"}]},
        {**document, "metadata": {**document["metadata"], "timestamp": "yesterday"}},
    ):
        assert not validator.is_valid(planted), "the schema sees nothing"


@pytest.mark.parametrize("which", ["package", "image"])
def test_whatever_a_bill_refers_to_is_in_it(which: str) -> None:
    bill = bills()[which]
    refs = [each["bom-ref"] for each in bill["components"]]
    own = bill["metadata"]["component"]["bom-ref"]
    assert len(refs) == len(set(refs))
    tree = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert tree.keys() == {own, *refs}
    reached, waiting = set(), [own]
    while waiting:
        if (ref := waiting.pop()) not in reached:
            reached.add(ref)
            waiting += tree[ref]
    assert reached == tree.keys(), "something is needed by nobody"
    told = {ref for each in bill["compositions"] for ref in each["dependencies"]}
    assert told <= reached


@pytest.mark.parametrize("which", ["package", "image"])
def test_each_package_has_a_licence_and_files_with_sums(which: str) -> None:
    for each in bills()[which]["components"]:
        if each["purl"].startswith("pkg:pypi/"):
            assert each["licenses"], each["name"]
            sums = [
                hash_["content"] for file in each["externalReferences"] for hash_ in file["hashes"]
            ]
            assert all(re.fullmatch("[0-9a-f]{64}", sum_) for sum_ in sums)
            assert sums, each["name"]


def test_the_bill_of_the_image_is_what_uv_would_install_there() -> None:
    if not UV.exists():
        pytest.skip("`make setup` fetches uv")
    python = re.search(r"^ARG PYTHON_IMAGE=python:((\d+\.\d+)\.\d+)", DOCKERFILE.read_text(), re.M)
    assert python is not None
    environment = {**IN_THE_IMAGE, "python_version": python[2], "python_full_version": python[1]}
    extras = [word for each in image_extras(DOCKERFILE.read_text()) for word in ("--extra", each)]
    exported = subprocess.run(
        [
            *(str(UV), "export", "--frozen", "--quiet", "--no-hashes", "--no-header"),
            *("--no-annotate", "--no-emit-project", *extras),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = set()
    for line in exported.splitlines():
        requirement, _, marker = line.partition(" ; ")
        if not marker or Marker(marker).evaluate(environment):
            wanted.add(requirement.strip())
    found = {
        f"{each['name']}=={each['version']}"
        for each in bills()["image"]["components"]
        if each["purl"].startswith("pkg:pypi/")
    }
    assert len(found) > 40
    assert found == wanted


def test_the_image_has_the_image_below_it_and_says_that_it_is_not_told() -> None:
    bill = bills()["image"]
    (base,) = [each for each in bill["components"] if each["type"] == "container"]
    assert base["purl"].startswith("pkg:docker/python@sha256%3A")
    unknown = [each for each in bill["compositions"] if each["aggregate"] == "unknown"]
    assert [each["dependencies"] for each in unknown] == [[base["bom-ref"]]]
    assert not [each for each in bills()["package"]["components"] if each["type"] == "container"]


def test_nothing_for_work_on_this_repository_is_in_a_bill() -> None:
    for bill in bills().values():
        names = {each["name"] for each in bill["components"]}
        assert not names & {"pytest", "mypy", "ruff", "hypothesis", "matplotlib"}
        assert {"numpy", "faust-streaming", "uplot"} <= {name.lower() for name in names}
