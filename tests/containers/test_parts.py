"""The parts of the container tests that can be wrong without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.containers.composition import in_order, seconds
from tests.containers.engine import CannotRun, engine, why_not
from tests.containers.log_oracle import Log
from tests.containers.machine import suites_of
from tests.contract.compose_file import PLAIN, PRODUCTION, services

DEB822 = "Types: deb\nURIs: http://a/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
ONE_LINE = "# deb http://a sid main\ndeb [signed-by=/k.asc arch=amd64] http://a/b b-bookworm main\n"


@pytest.mark.parametrize(
    ("text", "suites"),
    [
        (DEB822, {"bookworm", "bookworm-updates"}),
        (ONE_LINE, {"b-bookworm"}),
        ("deb http://a/debian bookworm main contrib\n", {"bookworm"}),
        ("", set()),
    ],
)
def test_the_suites_of_apt_sources(text: str, suites: set[str]) -> None:
    assert suites_of(text) == suites


@pytest.mark.parametrize("file", [PLAIN, PRODUCTION], ids=lambda file: file.stem)
def test_services_come_after_what_they_depend_on(file: Path) -> None:
    ordered = in_order(services(file), services(file))
    assert sorted(ordered) == sorted(services(file))
    for name, service in services(file).items():
        for other in service.get("depends_on", {}):
            assert ordered.index(other) < ordered.index(name)


def test_durations() -> None:
    assert seconds("20s") == 20
    with pytest.raises(AssertionError):
        seconds("1m")


def event(**fields: object) -> dict[str, object]:
    return {
        **{"tenant": "t", "source": "s", "id": "1", "region": "r", "provider": "p", "model": "m"},
        **{"input_tokens": 5, "output_tokens": 7},
        **fields,
    }


def test_the_oracle_counts_each_identity_once_and_no_dead_letter() -> None:
    log = Log(
        {
            (0, 0): event(),
            (0, 1): event(input_tokens=6),
            (0, 2): event(id="2", model="n"),
            (0, 3): event(id="3"),
            (1, 0): event(tenant="u"),
        },
        records=6,
    )
    assert log.registers({(0, 3)}) == {
        ("r", "p", "m"): (2, 10, 14),
        ("r", "p", "n"): (1, 5, 7),
    }


def test_who_is_not_root_is_told_why_there_are_no_containers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert why_not() == "podman is run as root here, and the tests are not"
    with pytest.raises(CannotRun, match="as root"), engine(print):
        pass


def test_where_packages_cannot_be_installed_they_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("tests.containers.engine.PROGRAMS", {"no-such-program": "its-package"})
    monkeypatch.setattr("tests.containers.engine.RELEASE", tmp_path / "os-release")
    assert why_not() == "its-package not installed, and this is no Debian to do it on"
    (tmp_path / "os-release").write_text("NAME=Debian\nID=debian\n")
    assert why_not() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_not() == "its-package not installed, and there is no apt-get to do it"
