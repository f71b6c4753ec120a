"""Tables and views as they are, and as the migrations of this version make them.

Views are in the migrations themselves, each whole: the server is asked to write both texts alike.
What several migrations made of a table is in `EXPECTED_TABLES`, which
``python -m tools.schema_shape`` writes and a test holds against a real database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import schemas
from services.operate.doctor.judging.schema import STAGING, Column, Schema, Table
from services.operate.doctor.looking.world import World
from services.platform.clickhouse import connect
from services.platform.migrate import statements
from services.platform.schema_state import MIGRATIONS, read_state

EXPECTED_TABLES: Final = Path(schemas.__file__).with_name("clickhouse_tables.json")
_VIEW: Final = re.compile(
    r"\s*CREATE OR REPLACE VIEW\s+(?P<name>\w+)\s.*?\bAS\s+(?P<select>\(?(?:SELECT|WITH)\b.*)",
    re.DOTALL,
)
_TTL: Final = re.compile(r"\bTTL (?P<ttl>.*?)(?: SETTINGS |$)", re.DOTALL)
_SETTING: Final = re.compile(r"(?P<name>\w+) = (?P<value>[^,]+)")
#: Settings that durability and the dropping of old windows rest on (docs/reliability.md).
HELD_SETTINGS: Final = frozenset(
    {
        *("fsync_after_insert", "fsync_part_directory", "min_rows_to_fsync_after_merge"),
        "ttl_only_drop_parts",
    }
)


def look(world: World) -> Schema:
    """Read both. Raises `UnavailableError`, `ConfigurationError` where we may not see them."""
    database = world.settings.clickhouse_database
    if not world.rows("SELECT 1 FROM system.databases WHERE name = {database:String}"):
        return Schema(database, {}, {}, "is not there: run `wattoken migrate`", None)
    with closing(connect(world.settings)) as client:
        state = read_state(client)
    expected = {**expected_tables(), **expected_views(world)}
    behind, ahead = (state.behind, state.ahead) if state is not None else (None, None)
    return Schema(database, found_tables(world), expected, behind, ahead)


def found_tables(world: World) -> dict[str, Table]:
    """The tables and views of the database, views with their queries as the server writes them."""
    columns: dict[str, list[Column]] = {}
    rows = world.rows(
        "SELECT table, position, name, type, trimLeft(concat(default_kind, ' ',"
        " default_expression))"
        " FROM system.columns WHERE database = {database:String}"
    )
    for table, _, *column in sorted(rows):
        columns.setdefault(table, []).append(Column(*column))
    tables = world.rows(
        "SELECT name, engine, sorting_key, partition_key, engine_full, as_select"
        " FROM system.tables WHERE database = {database:String}"
    )
    return {
        name: Table(name, engine, (), select=_formatted(world, select))
        if engine == "View"
        else Table(
            *(name, engine, tuple(columns.get(name, ())), sorting_key, partition_key),
            *(_ttl(whole), "", _settings(whole)),
        )
        for name, engine, sorting_key, partition_key, whole, select in tables
    }


def expected_views(world: World) -> dict[str, Table]:
    """The views as the last migration that has each makes it."""
    selects: dict[str, str] = {}
    for path in sorted(MIGRATIONS.glob("*.sql")):
        for statement in statements(path.read_text(encoding="utf-8")):
            found = _VIEW.match(_without_comments(statement))
            if found is not None:
                selects[found["name"]] = found["select"]
    return {
        name: Table(name, "View", (), select=_formatted(world, select))
        for name, select in selects.items()
    }


def expected_tables() -> dict[str, Table]:
    """The tables that the migrations make."""
    told = json.loads(EXPECTED_TABLES.read_text(encoding="utf-8"))
    return {name: _table_of(name, fields) for name, fields in told.items()}


def document(tables: Mapping[str, Table]) -> str:
    """What `EXPECTED_TABLES` is to hold of tables, as `found_tables` gives them."""
    told = {
        name: {
            "engine": table.engine,
            "sorting_key": table.sorting_key,
            "partition_key": table.partition_key,
            "ttl": table.ttl,
            "settings": dict(table.settings),
            "columns": [[one.name, one.type, one.default] for one in table.columns],
        }
        for name, table in sorted(tables.items())
        if table.engine != "View" and STAGING not in name
    }
    return json.dumps(told, indent=1) + "\n"


def _table_of(name: str, fields: Mapping[str, Any]) -> Table:
    return Table(
        name=name,
        engine=fields["engine"],
        columns=tuple(Column(*column) for column in fields["columns"]),
        sorting_key=fields["sorting_key"],
        partition_key=fields["partition_key"],
        ttl=fields["ttl"],
        settings=tuple(sorted(fields["settings"].items())),
    )


def _ttl(engine: str) -> str:
    found = _TTL.search(engine)
    return found["ttl"] if found else ""


def _settings(engine: str) -> tuple[tuple[str, str], ...]:
    said = engine.rpartition(" SETTINGS ")[2]
    pairs = ((one["name"], one["value"].strip()) for one in _SETTING.finditer(said))
    return tuple(sorted(pair for pair in pairs if pair[0] in HELD_SETTINGS))


def _without_comments(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if not line.lstrip().startswith("--"))


def _formatted(world: World, select: str) -> str:
    """A query in the server's own writing, without the name of the database."""
    ((text,),) = world.rows("SELECT formatQuerySingleLine({query:String})", query=select)
    database = re.escape(world.settings.clickhouse_database)
    return with_once(re.sub(rf"(?<![\w.`])(?:{database}|`{database}`)\.", "", str(text)))


def with_once(select: str) -> str:
    """A query without the WITH that the server repeats in each part of a UNION ALL."""
    if not select.startswith("WITH "):
        return select
    depth = 0
    for at, character in enumerate(select):
        depth += (character == "(") - (character == ")")
        if depth == 0 and select.startswith(" SELECT ", at):
            return select.replace(f"UNION ALL {select[: at + 1]}", "UNION ALL ")
    return select
