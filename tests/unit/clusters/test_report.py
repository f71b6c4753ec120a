"""What the report says of scenarios, and what the proxy takes for an insert."""

from __future__ import annotations

from tests.clusters.planted import Plant
from tests.clusters.report import Outcome, entry, line, merged
from tests.clusters.run import PLAYS, Play, chosen
from tests.clusters.stale_proxy import is_insert
from tests.upgrades.sums import Verdict

EXACT = Verdict(10, 0, 0, ())
LOST = Verdict(10, 1, 0, ("registers [a] requests: must be 2, is 1",))


def outcome(*verdicts: Verdict, planted: str | None = None, failure: str = "") -> Outcome:
    return Outcome("brokers", planted, 1000, 10, 3.0, ("a", "b"), verdicts, failure)


def test_a_scenario_holds_where_every_server_is_exact() -> None:
    assert outcome(EXACT, EXACT).holds
    assert not outcome(EXACT, LOST).holds
    assert not outcome(failure="not in time").holds


def test_a_planted_fault_holds_where_every_server_shows_it() -> None:
    assert outcome(LOST, LOST, planted="lost").holds
    assert not outcome(EXACT, LOST, planted="lost").holds
    assert not outcome(planted="lost", failure="not in time").holds


def test_a_line_says_what_is_wrong() -> None:
    assert line(outcome(EXACT)).startswith("exact  brokers: 1,000 events")
    assert "FAILED brokers: lost 1" in line(outcome(LOST))
    assert "must be 2, is 1" in line(outcome(LOST))
    assert line(outcome(failure="not in time")) == "FAILED brokers: not in time"
    assert line(outcome(LOST, planted="lost")).startswith("seen  (lost 1, twice 0) brokers+lost")
    assert line(outcome(EXACT, planted="lost")).startswith("FAILED brokers+lost")


def test_a_report_keeps_what_was_not_played() -> None:
    names = ["brokers", "brokers+lost"]
    first = merged({}, names, [outcome(EXACT)])
    assert first["not_played_yet"] == ["brokers+lost"]
    assert not first["holds"]
    whole = merged(first, names, [outcome(LOST, planted="lost")])
    assert whole["holds"]
    assert [each["lost"] for each in whole["scenarios"]] == [0, 1]
    assert entry(outcome(failure="not in time"))["failure"] == "not in time"


def test_what_is_played_is_chosen_by_scenario() -> None:
    assert chosen(None) == [*PLAYS]
    assert chosen("brokers,continents+lost") == [
        Play("brokers"),
        Play("continents", Plant.LOST),
    ]


def test_an_insert_is_told_by_address_or_body() -> None:
    assert is_insert("/?query=INSERT+INTO+a+FORMAT+Native", b"\x01")
    assert is_insert("/?database=w", b"INSERT INTO a FORMAT Native\n\x01")
    assert not is_insert("/?database=w", b"SELECT 'INSERT'")
    assert not is_insert("/ping", b"")
    assert is_insert("/?database=w", b"\x04\x22\x4d\x18", encoded=True)
