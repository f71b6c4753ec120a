"""PURE. Whether each service may do in ClickHouse what it has to.

What each needs is what deploy/docker/clickhouse/users.xml grants; a test holds that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, skipped

#: Rights on the database, by service.
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "migrate": (
        *("CREATE DATABASE", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW"),
        *("ALTER TABLE", "ALTER VIEW", "SELECT", "INSERT"),
    ),
    "aggregator": ("SELECT", "INSERT"),
    "exporter": ("SELECT",),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A row of system.grants: what is granted, or revoked, where; None means everywhere."""

    access: str
    database: str | None
    table: str | None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """A service's user and its grants, its roles' too; None where there is no such user."""

    service: str
    name: str
    grants: tuple[Grant, ...] | None


@dataclass(frozen=True, slots=True)
class Rights:
    """The users, and ClickHouse's own tree of rights: each with what contains it."""

    database: str
    users: tuple[User, ...]
    parents: Mapping[str, str | None]


def judge(facts: Rights) -> Iterator[Finding]:
    """Judge each user whose name is known."""
    for user in facts.users:
        what = f"ClickHouse user {user.name}"
        if user.grants is None:
            yield skipped(
                what,
                "is not there",
                f"say who {user.service} is: WATTOKEN_DOCTOR_CLICKHOUSE_USERS",
            )
            continue
        missing = [one for one in NEEDED[user.service] if not _may(one, user.grants, facts)]
        taken = [
            f"{one.access} ON {one.database}.{one.table}"
            for one in user.grants
            if one.revoked
            and one.database == facts.database
            and one.table is not None
            and any(need in _lineage(one.access, facts.parents) for need in NEEDED[user.service])
        ]
        if missing:
            yield error(
                what,
                f"{user.service} lacks {', '.join(missing)}",
                f"GRANT {', '.join(missing)} ON {facts.database}.* TO {user.name}",
            )
        for one in taken:
            yield error(what, f"{user.service} was denied {one}", f"GRANT {one} TO {user.name}")
        if not missing and not taken:
            yield ok(what, f"may do what {user.service} does")


def _may(access: str, grants: tuple[Grant, ...], facts: Rights) -> bool:
    return _on_database(access, grants, facts) or any(
        # A right that is given piece by piece is there when all of its pieces are.
        children and all(_may(child, grants, facts) for child in children)
        for children in [[name for name, parent in facts.parents.items() if parent == access]]
    )


def _on_database(access: str, grants: tuple[Grant, ...], facts: Rights) -> bool:
    lineage = _lineage(access, facts.parents)
    given = any(
        one.access in lineage and one.database in (None, facts.database) and one.table is None
        for one in grants
        if not one.revoked
    )
    taken = any(
        one.access in lineage and one.database == facts.database and one.table is None
        for one in grants
        if one.revoked
    )
    return given and not taken


def _lineage(access: str, parents: Mapping[str, str | None]) -> set[str]:
    """A right and all that contain it."""
    found: set[str] = set()
    at: str | None = access
    while at is not None and at not in found:
        found.add(at)
        at = parents.get(at)
    return found
