"""PURE: what a migration's statements are on several ClickHouse servers (ADR 0045).

A table whose rows belong to a place on a log becomes two: ``NAME_local``, which holds a shard's
rows, and ``NAME``, which is `Distributed` over them. So all that reads or writes goes by the names
it has always gone by. What `wattoken migrate` itself fills is whole on every server, and read
there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.platform.errors import ConfigurationError

#: What is on one shard together. All rows of a partition of a log are: so of two versions of a
#: slice both are where FINAL compares them, and a shard that is restored from a backup has rows
#: and checkpoints of one moment.
_PLACE: Final = "log, partition"
SHARDED: Final = {
    **dict.fromkeys(
        (
            *("slices_register", "slices_minute", "slices_hour", "slices_unit"),
            *("adjustments", "belated_events", "dead_letters", "admitted_series"),
            *("checkpoints", "log_partitions", "metering_rules", "seen_runs"),
        ),
        _PLACE,
    ),
    # The ends of all partitions are there together or not at all.
    "successions": "predecessor",
    # A run's bills, and the row behind them that makes them hold.
    "settlement_bills": "period_start, run",
    "settlement_runs": "period_start, run",
}
#: Whole on every server.
EVERYWHERE: Final = frozenset(
    {
        *("models", "regions", "tariffs", "tou_periods", "demand_charges", "zone_offsets"),
        *("calendar_days", "exchange_rates", "listed_models", "price_list_sources"),
        *("energy_ratings", "energy_sites", "energy_factors", "schema_migrations"),
    }
)
LOCAL: Final = "_local"
_COMMENTS: Final = re.compile(r"^\s*--.*$", re.MULTILINE)
_HEAD: Final = re.compile(
    r"\s*(CREATE TABLE IF NOT EXISTS|CREATE TABLE|ALTER TABLE|CREATE OR REPLACE VIEW|"
    r"CREATE DATABASE IF NOT EXISTS|DROP TABLE IF EXISTS)\s+(`?\w+`?)"
)
_EXCHANGE: Final = re.compile(r"\s*EXCHANGE TABLES \w+ AND \w+\s*\Z")
_ENGINE: Final = re.compile(r"\bENGINE = ((?:\w+)?MergeTree)\b(?:\((\w*)\))?")
_SHARDS: Final = re.compile(r"%\s*(\d+)\s*\)?")
#: A cluster's name goes into statements as it is.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as the servers' ``remote_servers`` has it, and over how many shards rows go.

    With ``keeper`` every statement goes to all its servers by itself (``ON CLUSTER``), and tables
    are replicated within their shard. Without, each server is told by itself, and a shard is one
    server. ``shards`` is how many there were when the database was made: a shard that is added
    later changes no row's place.
    """

    name: str
    database: str
    shards: int
    keeper: bool

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(f"{self.name!r} is no name of a cluster")

    def statements(self, statement: str) -> Iterator[str]:
        """What takes the place of one statement that is for one server, in this order.

        Raises `ConfigurationError` for a table that is not known here, and for a statement of
        another kind.
        """
        bare = _COMMENTS.sub("", statement)
        if _EXCHANGE.match(bare):
            yield f"{bare.strip()}{self._on}"
            return
        head = _HEAD.match(bare)
        if head is None:
            raise ConfigurationError(f"cannot be said to a cluster: {bare.strip()[:80]}")
        verb, name = head[1], head[2]
        rest = bare[head.end() :].rstrip()
        if "TABLE" not in verb or self._is_everywhere(name):
            yield f"{verb} {name}{self._on}{self._engines(rest, '-{shard}', 'everywhere')}"
            return
        if name not in SHARDED:
            raise ConfigurationError(
                f"it is not said how table {name} is on a cluster: name it in {__name__}"
            )
        yield f"{verb} {name}{LOCAL}{self._on}{self._engines(rest, '', '{shard}')}"
        yield self._distributed(name)

    def _distributed(self, name: str) -> str:
        """Make the table over all shards, with the columns that the local ones have now.

        It holds nothing, for inserts into it are answered when the shards have them; so it is made
        anew at each change and need not be changed itself.
        """
        key = f"cityHash64({SHARDED[name]}) % {self.shards}"
        return (
            f"CREATE OR REPLACE TABLE {name}{self._on} AS {name}{LOCAL}"
            f" ENGINE = Distributed('{self.name}', '{self.database}', '{name}{LOCAL}', {key})"
        )

    def _engines(self, rest: str, replica: str, place: str) -> str:
        """Have the engine replicate: at one place in Keeper for all servers that hold the same."""
        if not self.keeper:
            return rest

        def replicated(found: re.Match[str]) -> str:
            version = f", {found[2]}" if found[2] else ""
            path = f"'/clickhouse/tables/{{uuid}}/{place}', '{{replica}}{replica}'"
            return f"ENGINE = Replicated{found[1]}({path}{version})"

        return _ENGINE.sub(replicated, rest)

    @property
    def _on(self) -> str:
        return f" ON CLUSTER '{self.name}'" if self.keeper else ""

    def _is_everywhere(self, name: str) -> bool:
        # A table that takes the place of one that is everywhere is named after it.
        return name.strip("`").partition("__")[0] in EVERYWHERE


def shards_of(engine: str) -> int | None:
    """Over how many shards a table was made to go, by its ``engine_full``; None if it is not."""
    if not engine.startswith("Distributed"):
        return None
    found = _SHARDS.search(engine)
    return int(found[1]) if found else None
