"""PURE. Whether tables and views are what the migrations of this version make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, warning

#: In the name of a catalogue's table that is being replaced (services/platform/catalogue.py).
STAGING: Final = "__staging_"
#: How the table behind one that is spread over a cluster ends (services/platform/cluster_ddl.py).
LOCAL: Final = "_local"
MIGRATE: Final = "`wattoken migrate` with this version; what it does not mend was changed by hand"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as system.columns has it."""

    name: str
    type: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view: ``select`` is a view's query, ``ttl`` what is deleted, and when."""

    name: str
    engine: str
    columns: tuple[Column, ...]
    sorting_key: str = ""
    partition_key: str = ""
    ttl: str = ""
    select: str = ""
    #: Those that durability rests on, in order.
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """What there is and what there should be; and of migrations, what is to be said."""

    database: str
    found: Mapping[str, Table]
    expected: Mapping[str, Table]
    behind: str | None
    ahead: str | None


def judge(facts: Schema) -> Iterator[Finding]:
    """Judge migrations first: of a newer schema nothing more is said, of an older one neither."""
    what = f"schema of {facts.database}"
    if facts.behind is not None:
        yield error(what, f"the database {facts.behind}", "run `wattoken migrate`")
        return
    if facts.ahead is not None:
        yield warning(what, f"the database {facts.ahead}", "update this program")
        return
    findings = [*_missing(facts), *_differing(facts)]
    yield from findings
    if not findings:
        yield ok(what, f"{len(facts.expected)} tables and views are as the migrations make them")


def _missing(facts: Schema) -> Iterator[Finding]:
    for name in sorted(facts.expected.keys() - facts.found.keys()):
        yield error(
            f"table {name}", "is missing", "`wattoken migrate`, or restore it from a backup"
        )
    others = sorted(
        name
        for name in facts.found.keys() - facts.expected.keys()
        if STAGING not in name and not name.startswith(".inner") and not _is_behind(facts, name)
    )
    if others:
        yield warning(
            f"schema of {facts.database}",
            f"has tables that are not of Wattoken: {', '.join(others[:5])}",
            "move them to a database of their own: a restore drops this one",
        )


def _is_behind(facts: Schema, name: str) -> bool:
    """Whether a table holds the rows of one that is spread over a cluster."""
    spread = facts.found.get(name.removesuffix(LOCAL))
    return name.endswith(LOCAL) and spread is not None and kind(spread.engine) == "Distributed"


def _differing(facts: Schema) -> Iterator[Finding]:
    for name in sorted(facts.expected.keys() & facts.found.keys()):
        expected, found = facts.expected[name], facts.found[name]
        for difference in _differences(expected, found):
            yield error(f"table {name}", difference, MIGRATE)
        if _is_behind(facts, local := f"{name}{LOCAL}") and local in facts.found:
            for difference in _differences(expected, facts.found[local]):
                yield error(f"table {local}", difference, MIGRATE)


def _differences(expected: Table, found: Table) -> Iterator[str]:
    if kind(found.engine) == "Distributed":
        # It holds nothing itself: its columns are those of the tables behind it.
        expected = Table(expected.name, "Distributed", expected.columns)
        found = Table(found.name, "Distributed", found.columns)
    if kind(found.engine) != kind(expected.engine):
        yield f"is of engine {found.engine}, not {expected.engine}"
    wanted = {column.name: column for column in expected.columns}
    there = {column.name: column for column in found.columns}
    for name in wanted.keys() - there.keys():
        yield f"lacks the column {name}"
    for name in there.keys() - wanted.keys():
        yield f"has a column {name} that is not of Wattoken"
    for name in sorted(wanted.keys() & there.keys()):
        if wanted[name] != there[name]:
            yield f"has the column {name} as {_shown(there[name])}, not {_shown(wanted[name])}"
    held = dict(found.settings)
    for name, value in expected.settings:
        if held.get(name, "0") != value:
            yield f"has {name} = {held.get(name, '0')}, not {value}: a power cut may lose rows"
    for part in ("sorting_key", "partition_key", "ttl", "select"):
        is_so, should_be = squeezed(getattr(found, part)), squeezed(getattr(expected, part))
        if is_so != should_be:
            at = next(
                (n for n, (a, b) in enumerate(zip(is_so, should_be, strict=False)) if a != b),
                min(len(is_so), len(should_be)),
            )
            here, there_ = (text[max(0, at - 30) : at + 50] for text in (is_so, should_be))
            yield f"has another {part.replace('_', ' ')}: …{here}…, not …{there_}…"


def kind(engine: str) -> str:
    """What an engine does, replicated or not."""
    return re.sub(r"^(Replicated|Shared)", "", engine)


def squeezed(text: str) -> str:
    """A text with single spaces, for comparing."""
    return " ".join(text.split())


def _shown(column: Column) -> str:
    return f"{column.type} {column.default}".strip()
