"""Which rights a service's user in ClickHouse needs, however they were given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.operate.doctor.finding import Finding, Level
from services.operate.doctor.judging.grants import NEEDED, Grant, Rights, User, judge

USERS = Path(__file__).parents[6] / "deploy/docker/clickhouse/users.xml"
PARENTS = {
    **{"ALL": None, "SELECT": "ALL", "INSERT": "ALL", "CREATE": "ALL", "DROP": "ALL"},
    **{"ALTER": "ALL", "ALTER TABLE": "ALTER", "ALTER VIEW": "ALTER"},
    **{"ALTER UPDATE": "ALTER TABLE", "ALTER DELETE": "ALTER TABLE"},
    **{f"CREATE {one}": "CREATE" for one in ("DATABASE", "TABLE", "VIEW")},
    **{f"DROP {one}": "DROP" for one in ("TABLE", "VIEW")},
}


def judged(service: str, *grants: Grant) -> list[Finding]:
    user = User(service, f"wattoken_{service}", grants)
    return [*judge(Rights("wattoken", (user,), PARENTS))]


def on(access: str, revoked: bool = False) -> Grant:
    return Grant(access, "wattoken", None, revoked)


def test_what_is_needed_is_what_the_containers_users_have() -> None:
    users = USERS.read_text(encoding="utf-8")
    for service, needed in NEEDED.items():
        section = users.partition(f"<wattoken_{service}>")[2].partition("</wattoken_")[0]
        granted = re.search(r"GRANT (.*) ON wattoken\.\*", section)
        assert granted is not None
        assert sorted(granted[1].split(", ")) == sorted(needed), service


@pytest.mark.parametrize(
    "grants",
    [
        (on("SELECT"), on("INSERT")),
        (Grant("SELECT", None, None), on("INSERT")),
        (Grant("ALL", None, None),),
        (on("ALL"),),
    ],
)
def test_a_right_may_be_given_everywhere_or_by_what_contains_it(grants: tuple[Grant, ...]) -> None:
    (finding,) = judged("aggregator", *grants)
    assert finding.level is Level.OK


def test_a_right_that_is_given_in_all_its_pieces_is_there() -> None:
    whole = [on(one) for one in NEEDED["migrate"] if one != "ALTER TABLE"]
    pieces = [on("ALTER UPDATE"), on("ALTER DELETE")]
    assert [one.level for one in judged("migrate", *whole, *pieces)] == [Level.OK]
    (lacking,) = judged("migrate", *whole, pieces[0])
    assert "lacks ALTER TABLE" in lacking.found


@pytest.mark.parametrize(
    "grants",
    [
        (on("SELECT"),),
        (on("SELECT"), Grant("INSERT", "other", None)),
        (on("SELECT"), Grant("INSERT", "wattoken", "checkpoints")),
        (Grant("ALL", None, None), on("INSERT", revoked=True)),
    ],
)
def test_what_lacks_is_told_with_the_statement_that_gives_it(grants: tuple[Grant, ...]) -> None:
    (finding,) = judged("aggregator", *grants)
    assert finding.level is Level.ERROR
    assert finding.remedy == "GRANT INSERT ON wattoken.* TO wattoken_aggregator"


def test_a_table_that_was_taken_away_is_told() -> None:
    (finding,) = judged("exporter", on("SELECT"), Grant("SELECT", "wattoken", "registers", True))
    assert finding.level is Level.ERROR
    assert "SELECT ON wattoken.registers" in finding.found


def test_who_is_not_there_may_have_another_name() -> None:
    (finding,) = judge(Rights("wattoken", (User("exporter", "nobody", None),), PARENTS))
    assert finding.level is Level.SKIPPED
    assert "WATTOKEN_DOCTOR_CLICKHOUSE_USERS" in finding.remedy
