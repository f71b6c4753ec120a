"""Versions, and the places that say them."""

from __future__ import annotations

import pytest

from tools.release.errors import ReleaseError
from tools.release.versions import PLACES, Version, said, version_of, with_version


def test_versions_are_ordered_by_their_numbers() -> None:
    assert version_of("0.9.0") < version_of("0.10.0") < version_of("1.0.0")
    assert str(version_of("12.0.3")) == "12.0.3"
    assert version_of("0.2.0").tag == "v0.2.0"


@pytest.mark.parametrize("text", ["", "1.2", "v1.2.3", "01.2.3", "1.2.3-rc.1", "1.2.3.4", "1.2.x"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match=r"write X\.Y\.Z"):
        version_of(text)


def texts() -> dict[str, str]:
    made = {place.path: "" for place in PLACES}
    made["pyproject.toml"] = (
        'name = "wattoken"\nversion = "0.1.0"\nx = "ruff==0.1.0"\npython_version = "3.11"\n'
    )
    made["clients/python/pyproject.toml"] = 'version = "0.1.0"\n'
    made["uv.lock"] = (
        'name = "other"\nversion = "0.1.0"\n\nname = "wattoken"\nversion = "0.1.0"\n\n'
        'name = "wattoken-client"\nversion = "0.1.0"\n'
    )
    made["deploy/docker/Dockerfile"] = "#  docker build -t wattoken:0.1.0 .\nARG VERSION=0.1.0\n"
    made["deploy/helm/wattoken/Chart.yaml"] = (
        'apiVersion: v2\nversion: 0.1.0\nappVersion: "0.1.0"\nkubeVersion: ">=1.30.0-0"\n'
    )
    made["docker-compose.yml"] = "  image: wattoken:0.1.0\n  image: kafka:0.1.0\n"
    made["docs/kubernetes.md"] = (
        "registry.example.org/wattoken:0.1.0\nregistry.example.org/wattoken:0.1.0\nimage.tag=0.1.0\n"
    )
    return made


def test_every_place_gets_the_version_and_nothing_else_is_touched() -> None:
    changed = with_version(texts(), Version(0, 20, 3))
    for place in PLACES:
        assert said(place, changed[place.path]) == {"0.20.3"}
    # What still says the version of before is of others, or an example.
    assert sum(text.count("0.1.0") for text in changed.values()) == 4
    assert 'name = "other"\nversion = "0.1.0"' in changed["uv.lock"]
    assert "kafka:0.1.0" in changed["docker-compose.yml"]


def test_a_place_that_says_no_version_is_named() -> None:
    made = texts()
    made["docker-compose.yml"] = "  image: wattoken:latest\n"
    with pytest.raises(ReleaseError, match=r"docker-compose\.yml"):
        with_version(made, Version(0, 2, 0))
