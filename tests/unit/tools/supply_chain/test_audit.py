"""Known vulnerabilities fail with what to do; an index that is away does not."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.unit.tools.supply_chain.conftest import Index
from tools.supply_chain import audit
from tools.supply_chain.advisories import Advisory
from tools.supply_chain.audit import LONGEST_ACCEPTED_DAYS, Accepted, judge, read_accepted, run
from tools.supply_chain.components import Component

TODAY = date(2026, 7, 1)
THING = Component("PyPI", "thing", "1.0")
FOUND = {THING: {"uv.lock"}, Component("PyPI", "good", "1.0"): {"uv.lock"}}
DOCUMENT = {
    "id": "GHSA-1",
    "aliases": ["CVE-1"],
    "summary": "It is bad.",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "thing"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@pytest.fixture(autouse=True)
def accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "accepted.toml"
    path.touch()
    monkeypatch.setattr(audit, "ACCEPTED", path)
    return path


def test_a_known_vulnerability_fails_with_name_version_advisory_and_fix(
    index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    index.ids = {("PyPI", "thing", "1.0"): ["GHSA-1"]}
    index.documents = {"GHSA-1": DOCUMENT}
    assert run(FOUND, None, index.url, TODAY) == 1
    said = capsys.readouterr().err
    assert "thing 1.0 (uv.lock): GHSA-1, CVE-1: It is bad.; fixed in 1.1" in said
    assert "good" not in said


def test_nothing_known_says_what_was_asked(
    index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(FOUND, None, index.url, TODAY) == 0
    assert f"nothing is known against 2 components, by {index.url}" in capsys.readouterr().out


def test_without_an_index_it_says_by_name_that_it_was_not_done_and_does_not_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(FOUND, None, "http://127.0.0.1:1", TODAY) == 0
    said = capsys.readouterr().out
    assert "NOT DONE" in said
    assert "http://127.0.0.1:1" in said
    assert "nothing is known" not in said


def test_a_folder_of_advisories_takes_the_place_of_an_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "advisories"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(DOCUMENT))
    assert run(FOUND, folder, "", TODAY) == 1
    assert "thing 1.0" in capsys.readouterr().err
    (folder / "1.json").unlink()
    assert run(FOUND, folder, "", TODAY) == 0
    assert f"by 0 advisories in {folder}" in capsys.readouterr().out


def test_what_is_accepted_by_any_of_its_names_is_no_failure_until_its_day(
    index: Index, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.ids = {("PyPI", "thing", "1.0"): ["GHSA-1"]}
    index.documents = {"GHSA-1": DOCUMENT}
    accepted.write_text('[[accepted]]\nid = "CVE-1"\nreason = "not called"\nuntil = 2026-07-01\n')
    assert run(FOUND, None, index.url, TODAY) == 0
    assert run(FOUND, None, index.url, TODAY + timedelta(days=1)) == 1
    assert "CVE-1 is accepted until 2026-07-01" in capsys.readouterr().err
    # Which needs no index to be noticed.
    assert run(FOUND, None, "http://127.0.0.1:1", TODAY + timedelta(days=1)) == 1


def test_nothing_is_accepted_for_good() -> None:
    late = TODAY + timedelta(days=LONGEST_ACCEPTED_DAYS + 1)
    _, (wrong,) = judge([], [Accepted("CVE-1", "not called", late)], TODAY)
    assert "no longer than 180 days" in wrong


@pytest.mark.parametrize("left_out", ["id", "reason", "until"])
def test_an_entry_without_reason_or_day_is_refused(tmp_path: Path, left_out: str) -> None:
    entry = {"id": '"CVE-1"', "reason": '"not called"', "until": "2026-07-01"}
    del entry[left_out]
    path = tmp_path / "bad.toml"
    path.write_text("[[accepted]]\n" + "".join(f"{key} = {entry[key]}\n" for key in entry))
    with pytest.raises(ValueError, match="needs id, reason and until"):
        read_accepted(path)


def test_two_names_of_one_vulnerability_are_told_once() -> None:
    twice = [
        Advisory(THING, "PYSEC-1", frozenset({"CVE-1"})),
        Advisory(THING, "GHSA-1", frozenset({"CVE-1"})),
    ]
    open_, _ = judge(twice, [], TODAY)
    assert [each.id for each in open_] == ["GHSA-1"]


def test_the_committed_list_can_be_read() -> None:
    read_accepted(Path(audit.__file__).with_name("accepted_advisories.toml"))
