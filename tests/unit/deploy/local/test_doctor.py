"""What the doctor finds, and what it says to do."""

from __future__ import annotations

import json
import socket

import pytest

from deploy.local import doctor
from deploy.local.doctor import Finding, examine
from deploy.local.ports import LOOPBACK


def found(what: str) -> Finding:
    return next(finding for finding in examine() if finding.what == what)


def test_a_program_that_is_missing_comes_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("WATTOKEN_CACHE", str(tmp_path_factory.mktemp("empty")))
    assert found("java").remedy == "install a JDK >= 17, or --broker tansu"
    assert not found("java").needed
    assert found("npm").remedy
    assert found("npm").needed


def test_a_taken_port_is_a_note_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {"broker": port})
        finding = found(f"port {port}")
    assert (finding.found, finding.needed) == ("broker: taken", False)


def test_json_and_exit_code_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: iter([Finding("npm", "none", "install npm")]))
    with pytest.raises(SystemExit) as ended:
        doctor.run(fetch=False, as_json=True)
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)[0]["remedy"] == "install npm"
