"""PURE. Whether each service may do in Kafka what it has to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, warning
from services.platform.kafka_grants import Grant, acl_command

#: What implies an operation, beside itself and ``All``.
IMPLIED_BY: Final[Mapping[str, frozenset[str]]] = {
    "Describe": frozenset({"Read", "Write", "Delete", "Alter"}),
    "DescribeConfigs": frozenset({"AlterConfigs"}),
}


@dataclass(frozen=True, slots=True)
class Acl:
    """A rule of the broker; ``resource`` as in `Grant`, ``principal`` with its ``User:``."""

    principal: str
    resource: str
    name: str
    prefixed: bool
    operation: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What the services need, by their principal, and what the broker has."""

    needed: Mapping[str, tuple[Grant, ...]]
    acls: tuple[Acl, ...]
    servers: str


def judge(facts: Rules) -> Iterator[Finding]:
    """Judge each principal: what it lacks is told with the command that grants it.

    Whom no rule names may be a super user, or have another name.
    """
    for principal, grants in facts.needed.items():
        own = [one for one in facts.acls if one.principal in (principal, "User:*")]
        if not own:
            yield warning(
                f"Kafka {principal}",
                "no ACL names it: it may do nothing, unless it is a super user",
                "`wattoken grants` prints what it needs; WATTOKEN_DOCTOR_PRINCIPAL_PREFIX, where"
                " names begin with more",
            )
            continue
        lacking = [
            Grant(grant.resource, grant.name, missing, grant.prefixed)
            for grant in grants
            if (missing := tuple(one for one in grant.operations if not _may(own, grant, one)))
        ]
        what = f"Kafka {principal}"
        for grant in lacking:
            yield error(
                what,
                f"lacks {', '.join(grant.operations)} on {grant.resource} {grant.name}",
                acl_command(principal, grant, facts.servers),
            )
        if not lacking:
            yield ok(what, "has the ACLs that its service needs")


def _may(acls: Iterable[Acl], grant: Grant, operation: str) -> bool:
    rules = [one for one in acls if _covers(one, grant)]
    if any(not one.allowed and one.operation in (operation, "All") for one in rules):
        return False
    enough = {operation, "All", *IMPLIED_BY.get(operation, ())}
    return any(one.allowed and one.operation in enough for one in rules)


def _covers(acl: Acl, grant: Grant) -> bool:
    if acl.resource != grant.resource:
        return False
    if acl.prefixed:
        return grant.name.startswith(acl.name)
    return acl.name == "*" or acl.name == grant.name and not grant.prefixed
