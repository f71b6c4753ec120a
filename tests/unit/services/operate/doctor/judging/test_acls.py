"""Which rules of a broker are enough for a service."""

from __future__ import annotations

import pytest

from services.operate.doctor.finding import Finding, Level
from services.operate.doctor.judging.acls import Acl, Rules, judge
from services.platform.kafka_grants import Grant

NEEDED = (Grant("topic", "usage", ("Read",)), Grant("group", "workers", ("Read",), prefixed=True))
TOPIC = Acl("User:a", "topic", "usage", False, "Read", True)
GROUP = Acl("User:a", "group", "workers", True, "Read", True)


def judged(*acls: Acl, needed: tuple[Grant, ...] = NEEDED) -> list[Finding]:
    return [*judge(Rules({"User:a": needed}, acls, "b:9092"))]


@pytest.mark.parametrize(
    "acls",
    [
        (TOPIC, GROUP),
        (Acl("User:a", "topic", "*", False, "All", True), GROUP),
        (Acl("User:*", "topic", "us", True, "Read", True), GROUP),
        (TOPIC, Acl("User:a", "group", "*", False, "Read", True)),
    ],
)
def test_a_rule_may_be_for_more_than_is_needed(acls: tuple[Acl, ...]) -> None:
    assert [one.level for one in judged(*acls)] == [Level.OK]


@pytest.mark.parametrize(
    "acls",
    [
        (TOPIC,),
        # A group whose name begins so is not that group alone.
        (TOPIC, Acl("User:a", "group", "workers", False, "Read", True)),
        (TOPIC, Acl("User:a", "topic", "workers", True, "Read", True)),
        (TOPIC, Acl("User:b", "group", "workers", True, "Read", True)),
        (TOPIC, GROUP, Acl("User:a", "group", "*", False, "All", False)),
    ],
)
def test_what_lacks_is_told_with_the_command_that_gives_it(acls: tuple[Acl, ...]) -> None:
    (finding,) = judged(*acls)
    assert finding.level is Level.ERROR
    assert finding.found == "lacks Read on group workers"
    assert "--add --allow-principal User:a --operation Read --group workers" in finding.remedy


@pytest.mark.parametrize("enough", ["Describe", "Read", "Write", "All"])
def test_describe_is_implied(enough: str) -> None:
    acl = Acl("User:a", "topic", "usage", False, enough, True)
    assert [one.level for one in judged(acl, needed=(Grant("topic", "usage", ("Describe",)),))] == [
        Level.OK
    ]


def test_whom_no_rule_names_may_be_somebody_else() -> None:
    (finding,) = judged(Acl("User:b", "topic", "usage", False, "Read", True))
    assert finding.level is Level.WARNING
    assert "WATTOKEN_DOCTOR_PRINCIPAL_PREFIX" in finding.remedy
