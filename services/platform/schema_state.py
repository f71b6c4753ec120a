"""Which migrations a database has, beside those that this program knows.

A table that is missing has one remedy, and an old one may answer with numbers that are not those
of this version: so commands look here first, and say what comes next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

import schemas
from services.platform.clickhouse import all_rows, connect
from services.platform.errors import ConfigurationError
from services.platform.hello import HELLO_SECONDS
from services.platform.output import say
from services.platform.settings import ClickHouseSettings

MIGRATIONS: Final = Path(schemas.__file__).with_name("clickhouse")
#: ClickHouse's code for what a user may not do.
ACCESS_DENIED: Final = 497
#: A release that was gone back from may have left a later text than the one that holds.
APPLIED: Final = "SELECT name, argMax(checksum, applied_at) FROM schema_migrations GROUP BY name"


def checksum(text: str) -> str:
    """What tells two texts of a migration apart."""
    return hashlib.sha256(text.encode()).hexdigest()


def known_migrations() -> dict[str, str]:
    """The migrations of this program, in their order: name -> checksum of its text."""
    return {
        path.name: checksum(path.read_text(encoding="utf-8"))
        for path in sorted(MIGRATIONS.glob("*.sql"))
    }


@dataclass(frozen=True, slots=True)
class SchemaState:
    """How a database's migrations differ from a program's; all empty where they do not."""

    #: Known to the program and not applied, or with another text.
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    #: Applied, and not known to the program.
    unknown: tuple[str, ...] = ()

    @property
    def behind(self) -> str | None:
        """Why the program must not work with the database, and what to do; None where it may."""
        if self.missing:
            first, count = self.missing[0], len(self.missing)
            return (
                f"is older than this program: {count} of its migrations were not applied, from"
                f" {first} on: run `wattoken migrate`"
            )
        if self.changed and not self.unknown:
            return (
                f"has another text of {self.changed[0]} than this program: run `wattoken migrate`"
                " of the version that is to hold"
            )
        return None

    @property
    def ahead(self) -> str | None:
        """What is to be said of a database that a newer program migrated; None where it was not."""
        if not self.unknown:
            return None
        return (
            f"was migrated by a newer version of Wattoken (this one does not know"
            f" {self.unknown[-1]}): update this program"
        )


def compare(known: Mapping[str, str], applied: Mapping[str, str]) -> SchemaState:
    """Compare migrations, both as name -> checksum."""
    return SchemaState(
        missing=tuple(name for name in known if name not in applied),
        changed=tuple(
            name for name, text in known.items() if name in applied and applied[name] != text
        ),
        unknown=tuple(sorted(name for name in applied if name not in known)),
    )


def read_state(client: Client) -> SchemaState | None:
    """Read it; None where the user may not see which migrations were applied.

    Raises `ConfigurationError` where there are no tables of ours, `UnavailableError`.
    """
    try:
        applied = {str(name): str(last) for name, last in all_rows(client, APPLIED, {})}
    except ConfigurationError as error:
        if getattr(error.__cause__, "code", None) == ACCESS_DENIED:
            return None
        raise
    return compare(known_migrations(), applied)


def require_migrated(client: Client, database: str) -> None:
    """See that the database is not behind this program, and tell where it is ahead.

    Raises `ConfigurationError` saying which command comes next.
    """
    state = read_state(client)
    if state is None:
        return
    if state.behind is not None:
        raise ConfigurationError(f"the database {database} {state.behind}")
    if state.ahead is not None:
        say(f"wattoken: the database {database} {state.ahead}", err=True)


def look_at_schema(settings: ClickHouseSettings) -> SchemaState | None:
    """Connect and read it, within `HELLO_SECONDS`. Raises what `read_state` raises."""
    with closing(connect(_hasty(settings))) as client:
        return read_state(client)


def require_clickhouse(settings: ClickHouseSettings) -> None:
    """See that ClickHouse answers within `HELLO_SECONDS`.

    Raises `UnavailableError`, `ConfigurationError` where it refuses the user.
    """
    connect(_hasty(settings), database="default").close()


@contextmanager
def migrated_database(
    settings: ClickHouseSettings, *, answer_seconds: float | None = None
) -> Iterator[Client]:
    """Connect for a command: soon, or not at all, and only to what it knows how to read.

    ``answer_seconds`` as in `connect`. Raises `UnavailableError` when the server does not answer
    within `HELLO_SECONDS`, `ConfigurationError` when the database is not migrated.
    """
    with closing(connect(_hasty(settings))) as hello:
        require_migrated(hello, settings.clickhouse_database)
    with closing(connect(settings, answer_seconds=answer_seconds)) as client:
        yield client


def _hasty(settings: ClickHouseSettings) -> ClickHouseSettings:
    seconds = min(HELLO_SECONDS, settings.clickhouse_timeout_seconds)
    return settings.model_copy(update={"clickhouse_timeout_seconds": seconds})
