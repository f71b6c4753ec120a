"""What is printed of findings, the JSON's shape, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from services.operate.doctor import commands
from services.operate.doctor.commands import chosen, document
from services.operate.doctor.finding import Finding, Level, error, ok, skipped, warning, worst
from services.operate.doctor.registry import CHECKS, Check, check, examine
from services.platform.errors import ConfigurationError, UnavailableError

WARNED = warning("topic a", "is so", "do this")
BROKEN = error("topic b", "is broken", "do that")


def of(*findings: Finding) -> Check:
    return Check("topics", frozenset(), lambda world: findings)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((ok("a", "well"),), 0),
        ((ok("a", "well"), skipped("b", "not asked")), 0),
        ((WARNED, ok("a", "well")), 3),
        ((BROKEN, WARNED), 1),
        ((), 0),
    ],
)
def test_the_exit_code_is_of_the_worst(
    monkeypatch: pytest.MonkeyPatch, findings: tuple[Finding, ...], code: int
) -> None:
    monkeypatch.setattr(commands, "chosen", lambda only: [of(*findings)])
    assert commands.run((), as_json=False) == code


def test_each_finding_is_a_line_and_its_remedy_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "chosen", lambda only: [of(WARNED, ok("c", "well\x1b[2J"))])
    commands.run((), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "WARNING  topic a: is so",
        "         -> do this",
        "ok       c: well\\x1b[2J",
        "0 errors, 1 warnings, 1 ok, 0 skipped",
    ]


def test_the_json_has_its_version_and_every_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "chosen", lambda only: [of(WARNED)])
    assert commands.run((), as_json=True) == 3
    told = json.loads(capsys.readouterr().out)
    at = datetime.fromisoformat(told["examined_at"])
    assert told == document([("topics", WARNED)], at)
    assert told == {
        "version": 1,
        "examined_at": told["examined_at"],
        "result": "warning",
        "findings": [
            {
                "check": "topics",
                "level": "warning",
                "what": "topic a",
                "found": "is so",
                "remedy": "do this",
            }
        ],
    }
    assert at.tzinfo == UTC


def test_a_check_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no check 'topcis': give reach, versions, topics"):
        chosen(["topcis"])
    assert [one.name for one in chosen(["parts"])] == ["reach", "parts"]
    assert len({one.name for one in CHECKS}) == len(CHECKS)


def test_what_needs_something_that_is_away_is_skipped_and_the_rest_is_not() -> None:
    asked: list[str] = []

    def look(name: str, *needs: str) -> Check:
        def run(world: object) -> Iterable[Finding]:
            asked.append(name)
            return [ok(name, "well")]

        return Check(name, frozenset(needs), run)  # type: ignore[arg-type]

    reach = Check("reach", frozenset(), lambda world: [error("Kafka", "away", "see to it")])
    checks = [reach, look("topics", "Kafka"), look("schema", "ClickHouse")]
    found = dict(examine(object(), checks))  # type: ignore[arg-type]
    assert asked == ["schema"]
    assert found["topics"] == skipped("topics", "Kafka does not answer")


def test_a_look_that_fails_is_a_warning_and_not_the_end() -> None:
    def fail(world: object) -> None:
        raise UnavailableError("lost it")

    failing = check("parts", (), fail, lambda facts: ())
    ((_, finding),) = examine(object(), [failing])  # type: ignore[arg-type]
    assert finding.level is Level.WARNING
    assert "lost it" in finding.found


def test_the_worst_of_nothing_is_well() -> None:
    assert worst([]) is Level.OK
