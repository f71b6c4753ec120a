"""SECURITY.md, a table of attack, limit and test: each test exists, and no promise lacks a row."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import pytest

from services.platform.kafka_grants import grants
from services.platform.settings import KafkaSettings
from tests.contract.compose_file import ROOT

PAGE = ROOT / "SECURITY.md"
DESIGN = ROOT.parent / "shared" / "design" / "faults.md"
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")

#: What the page must hold an answer to, each a pattern over the attacks and limits of one row.
MUST = {
    "keys": [
        r"256 bits",
        r"system's random source",
        r"shown once",
        r"HMAC-SHA256 under a pepper",
        r"lookup id",
        r"constant time",
        r"expires",
        r"rotated",
        r"\bscopes\b",
        r"find keys .* in logs",
        r"both come from the key",
    ],
    "requests": [
        r"bytes on the wire and decompressed are counted while they stream",
        r"16 KB of zstd, 512 MB",
        r"events of a request",
        r"depth of an event",
        r"length of each text",
        r"time to read a body",
        r"events/s and bytes/s of a key",
        r"`series_max` of a key",
    ],
    "Kafka": [
        r"TLS with SASL",
        r"ingest may only write events, the aggregator only read them",
        r"none is made but by `migrate`",
    ],
    "ClickHouse": [
        r"a user to migrate, one to write \(INSERT and the SELECTs of recovery\), one to read",
        r"read-only, with limits and quotas",
        r"server-side parameters",
    ],
    "the rest": [
        r"labels from a fixed list",
        r"nothing is unpickled",
        r"not root, a root that cannot be written to, no capabilities",
        r"they come from files",
    ],
    "one key stops nobody": [
        r"names without end",
        r"large bodies one after another",
        r"idle connections",
        r"poison",
        r"debits and credits need the scope `adjust`",
    ],
}

#: The list of the design by its own words, so that nothing is added to it without a row here.
CLAUSES = {
    *("128 bits", "CSPRNG", "shown once", "HMAC-SHA256", "pepper", "lookup id", "constant-time"),
    *("expiry", "rotation", "scopes", "redacted in logs", "Tenant and region from the key"),
    *("wire AND decompressed", "16 KB of zstd", "batch size", "depth", "string length"),
    *("read time", "rate and cardinality", "TLS with SASL", "ingest may only write"),
    *("aggregator only read", "no topic auto-creation", "separate users to migrate"),
    *("INSERT and the SELECTs of recovery", "readonly, quotas", "server-side parameters"),
    *("labels from a fixed list", "No pickle", "non-root", "read-only", "without capabilities"),
    *("secrets come from files", "no combination of names", "no body", "idle sockets"),
    *("no poison", "Adjustments need a scope"),
}


@dataclass(frozen=True, slots=True)
class Row:
    attack: str
    limit: str
    tests: tuple[tuple[str, str], ...]


def rows(text: str) -> list[Row]:
    """The rows of all tables whose columns are attack, limit and test."""
    found, inside = [], False
    for line in text.splitlines():
        if line.startswith("| attack | limit | test |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            attack, limit, tests = line.strip("| ").split(" | ")
            found.append(Row(attack, limit, tuple(NAMED_TEST.findall(tests))))
    return found


ROWS = rows(PAGE.read_text(encoding="utf-8"))


def test_there_is_such_a_table() -> None:
    assert len(ROWS) >= 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack[:40])
def test_each_row_names_tests_that_there_are(row: Row) -> None:
    assert row.tests, "no test"
    for file, name in row.tests:
        path = ROOT / file
        assert path.is_file(), file
        if name:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert name in defined, f"{file} has no {name}"


@pytest.mark.parametrize("pattern", [pattern for patterns in MUST.values() for pattern in patterns])
def test_each_promise_has_a_row(pattern: str) -> None:
    assert any(re.search(pattern, f"{row.attack} | {row.limit}") for row in ROWS)


def test_a_row_without_a_test_would_be_noticed() -> None:
    (row,) = rows("| attack | limit | test |\n| --- | --- | --- |\n| a | b | one day |\n")
    assert row == Row("a", "b", ())


def test_the_list_of_the_design_is_the_one_that_is_held() -> None:
    if not DESIGN.is_file():
        pytest.skip(f"{DESIGN.name} is not beside this clone")
    section = DESIGN.read_text(encoding="utf-8").split("# What it must not let in", 1)[1]
    for clause in CLAUSES:
        assert clause in section, f"no longer in the list: {clause}"
    # What is left of it when its clauses are taken out is only what joins them.
    left = section
    for clause in sorted(CLAUSES, key=len, reverse=True):
        left = left.replace(clause, "")
    assert len(left) < 0.6 * len(section), "the list has grown: add clauses here and rows there"


def test_the_rights_are_those_that_are_granted() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index(
        "| who | topics of events | `wattoken.successions` | `usage.rejected.v1` |"
        " groups and transactions |"
    )
    told = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        who, *cells = line.strip("| ").split(" | ")
        told[who] = cells
    settings = KafkaSettings()
    columns = (
        settings.kafka_topic,
        settings.kafka_successions_topic,
        settings.kafka_rejected_topic,
    )
    for component, given in grants(settings, "wattoken-aggregator").items():
        *topics, others = told.pop(component)
        for name, cell in zip(columns, topics, strict=True):
            allowed = [one for grant in given if grant.name == name for one in grant.operations]
            assert cell == (", ".join(allowed) or "none"), f"{component}, {name}"
        wanted = [
            f"{grant.resource} `{grant.name}…`: {', '.join(grant.operations)}"
            for grant in given
            if grant.resource != "topic"
        ]
        assert others == ("; ".join(wanted) or "none"), component
    assert not told
