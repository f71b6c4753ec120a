"""Whose names are a canary's, in Python, in SQL and in the docs alike."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import schemas
from schemas.canary import CANARY, NO_CANARY_REGION, NO_CANARY_TENANT, is_canary
from services.exporter import control_room
from services.exporter.control_room.questions import question
from services.exporter.control_room.series_queries import curves_sql, ranking_sql

MIGRATIONS = Path(schemas.__file__).with_name("clickhouse")


@pytest.mark.parametrize("name", [CANARY, f"{CANARY}-2", f"{CANARY}s"])
def test_what_begins_with_it_is_reserved(name: str) -> None:
    assert is_canary(name)


@pytest.mark.parametrize("name", ["", "acme", "wattoken", f"my-{CANARY}", CANARY.upper()])
def test_all_else_is_not(name: str) -> None:
    assert not is_canary(name)


def test_the_migration_leaves_out_the_same_names() -> None:
    text = (MIGRATIONS / "0021_canary.sql").read_text(encoding="utf-8")
    said = re.findall(r"NOT startsWith\(\w+, '[^']*'\)", text)
    assert set(said) == {NO_CANARY_REGION, NO_CANARY_TENANT}


#: Which views leave it out, by what: hours have tenants, minutes have regions.
LEFT_OUT = {
    **dict.fromkeys(
        ("demand_15m", "region_demand_15m", "sliding_demand", "region_minutes"), NO_CANARY_REGION
    ),
    **dict.fromkeys(
        (
            "generation_mix",
            "token_density",
            "charges",
            "charge_parts",
            "statements",
            "energy_parts",
        ),
        NO_CANARY_TENANT,
    ),
}


@pytest.mark.parametrize("view", LEFT_OUT)
def test_no_later_migration_lets_it_in_again(view: str) -> None:
    definitions = [
        found
        for path in sorted(MIGRATIONS.glob("*.sql"))
        for found in re.findall(
            rf"CREATE OR REPLACE VIEW {view} AS\n.*?;\n",
            path.read_text(encoding="utf-8"),
            re.DOTALL,
        )
    ]
    newest = definitions[-1]
    # Each reading of slices by itself, or the one of a view that has all of them.
    assert newest.count(LEFT_OUT[view]) == max(1, newest.count("FROM slices_"))


def test_the_control_room_leaves_it_out_of_all_that_it_sums_itself() -> None:
    """Other views leave it out by themselves."""
    whole = re.compile(r"FROM (?:registers|usage_(?:minute|hour)_parts)\b")
    folder = Path(control_room.__file__).parent
    found = 0
    for path in sorted(folder.glob("*queries.py")):
        for name, text in vars(import_module(f"{control_room.__name__}.{path.stem}")).items():
            if name.endswith("_SQL") and whole.search(text):
                found += 1
                assert text.count(NO_CANARY_REGION) + text.count(NO_CANARY_TENANT) == len(
                    whole.findall(text)
                ), f"{path.name}: {name}"
    assert found >= 5
    plain = question([("last", "3h")], 86_400)
    assert NO_CANARY_REGION in ranking_sql(plain)
    assert NO_CANARY_REGION in curves_sql(plain)
