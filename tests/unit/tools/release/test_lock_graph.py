"""What of a lock an installation has."""

from __future__ import annotations

from typing import Any

import pytest

from tools.release.errors import ReleaseError
from tools.release.lock_graph import File, graph_of

LINUX = {"sys_platform": "linux", "python_full_version": "3.11.14", "python_version": "3.11"}


def entry(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version} | more


def lock(*entries: dict[str, Any]) -> dict[str, Any]:
    project = entry(
        "wattoken",
        "0.1.0",
        dependencies=[
            {"name": "always"},
            {"name": "windows", "marker": "sys_platform == 'win32'"},
            {"name": "two", "version": "1", "marker": "python_full_version < '3.12'"},
            {"name": "two", "version": "2", "marker": "python_full_version >= '3.12'"},
        ],
    )
    project["optional-dependencies"] = {"more": [{"name": "extra", "extra": ["deep"]}]}
    return {"package": [project, *entries]}


LOCK = lock(
    entry("always", dependencies=[{"name": "below"}]),
    entry("below", dependencies=[{"name": "always"}]),
    entry("windows"),
    entry("two", "1"),
    entry("two", "2"),
    entry("extra") | {"optional-dependencies": {"deep": [{"name": "deepest"}]}},
    entry("deepest"),
    entry("nobody"),
)


def names(extras: list[str], environment: dict[str, str] | None) -> set[str]:
    packages = graph_of(LOCK, extras, environment).packages
    return {f"{name} {version}" for name, version in packages} - {"wattoken 0.1.0"}


def test_everywhere_at_once() -> None:
    assert names([], None) == {"always 1", "below 1", "windows 1", "two 1", "two 2"}


def test_on_one_system_and_python() -> None:
    assert names([], LINUX) == {"always 1", "below 1", "two 1"}


def test_with_an_extra_and_the_extras_that_it_asks_for() -> None:
    assert names(["more"], LINUX) == {"always 1", "below 1", "two 1", "extra 1", "deepest 1"}


def test_who_needs_whom() -> None:
    graph = graph_of(LOCK, ["more"], LINUX)
    assert graph.project.needs == {("always", "1"), ("two", "1"), ("extra", "1")}
    assert graph.packages["extra", "1"].needs == {("deepest", "1")}
    # A circle is no endless walk.
    assert graph.packages["below", "1"].needs == {("always", "1")}


def test_an_extra_that_is_not_there_is_refused() -> None:
    with pytest.raises(ReleaseError, match="no extra 'less'"):
        graph_of(LOCK, ["less"], LINUX)


def test_files_with_their_sums() -> None:
    told = {"url": "https://example.org/a-1.whl", "hash": "sha256:" + "0" * 64, "size": 5}
    sdist = {"url": "https://example.org/a-1.tar.gz", "hash": "sha256:" + "1" * 64}
    found = graph_of(
        lock(entry("always", sdist=sdist, wheels=[told]), *LOCK["package"][2:]), [], None
    )
    assert found.packages["always", "1"].files == (
        File("https://example.org/a-1.tar.gz", "1" * 64),
        File("https://example.org/a-1.whl", "0" * 64),
    )
