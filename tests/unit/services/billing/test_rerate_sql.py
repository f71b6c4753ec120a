"""A view's SQL over other tables: what is replaced, and what only looks like it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.billing.rerate_sql import ColumnType, Views, literal, values_query

TEXTS = {
    "priced": "SELECT u.x, p.price FROM grid.usage AS u INNER JOIN grid.prices AS p ON p.x = u.x",
    "usage": "SELECT x FROM grid.slices FINAL",
    "prices": "SELECT tariffs.x AS x, price FROM grid.tariffs"
    " WHERE x IN (SELECT x FROM grid.tariffs)",
    "charges": "SELECT * FROM grid.priced WHERE x != 'grid.tariffs' SETTINGS join_use_nulls = 0",
}
VIEWS = Views("grid", TEXTS)


def test_what_a_text_reads_in_its_order() -> None:
    assert VIEWS.names_in(TEXTS["priced"]) == ["usage", "prices"]
    assert VIEWS.names_in(TEXTS["prices"]) == ["tariffs"]
    assert VIEWS.names_in(TEXTS["charges"]) == ["priced"], "what stands in a string is no name"


def test_views_over_another_table_stand_on_it_and_others_stay() -> None:
    assert VIEWS.over("charges", {"tariffs": "SELECT 1 AS x, 2 AS price"}).split(",\n") == [
        "`tariffs` AS (SELECT 1 AS x, 2 AS price)",
        "`prices` AS (SELECT tariffs.x AS x, price FROM `tariffs`"
        " WHERE x IN (SELECT x FROM `tariffs`))",
        "`priced` AS (SELECT u.x, p.price FROM grid.usage AS u"
        " INNER JOIN `prices` AS p ON p.x = u.x)",
        "`charges` AS (SELECT * FROM `priced`"
        " WHERE x != 'grid.tariffs' SETTINGS join_use_nulls = 0)",
    ]


def test_columns_that_no_reader_of_a_table_names_are_not_needed() -> None:
    columns = ["x", "price", "source", "tariffs"]
    assert VIEWS.columns_read("tariffs", columns) == ["x", "price", "tariffs"]
    assert VIEWS.columns_read("slices", ["x", "price"]) == ["x"], "other views are not asked"
    assert VIEWS.columns_read("nobodys", columns) == []
    starred = Views("grid", {**TEXTS, "all": "SELECT * FROM grid.tariffs WHERE x = 1"})
    assert starred.columns_read("tariffs", columns) == columns


def test_a_view_that_reads_none_of_the_tables_cannot_be_over_them() -> None:
    with pytest.raises(KeyError, match="usage"):
        VIEWS.over("usage", {"tariffs": "SELECT 1"})
    with pytest.raises(KeyError, match="missing"):
        VIEWS.over("missing", {"tariffs": "SELECT 1"})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM `my-grid`.`tariffs`",
        "SELECT '\\'' FROM `my-grid`.tariffs WHERE y = 'it''s `my-grid`.tariffs'",
    ],
)
def test_names_in_backquotes(text: str) -> None:
    views = Views("my-grid", {"charges": text})
    assert views.names_in(text) == ["tariffs"]
    found = views.over("charges", {"tariffs": "SELECT 2"})
    assert "FROM `tariffs`" in found
    assert found.count("`my-grid`.") == text.count("'it''s")


def test_a_database_named_as_an_alias_or_as_part_of_a_name() -> None:
    views = Views("t", {"charges": "SELECT t.price, at.tariffs FROM t.tariffs AS t, x.t.tariffs"})
    assert views.over("charges", {"tariffs": "SELECT 2 AS price"}).endswith(
        "AS (SELECT t.price, at.tariffs FROM `tariffs` AS t, x.t.tariffs)"
    )


@pytest.mark.parametrize("behind", ["", " AS s", " AS `the slices`"])
def test_what_is_final_is_so_no_more_where_it_is_no_table(behind: str) -> None:
    views = Views("grid", {"usage": f"SELECT x FROM grid.slices{behind}\nFINAL WHERE x = 'FINAL'"})
    assert views.over("usage", {"slices": "SELECT 1 AS x"}).endswith(
        f"(SELECT x FROM `slices`{behind} WHERE x = 'FINAL')"
    )
    kept = Views("grid", {"usage": f"SELECT x FROM grid.a, grid.slices{behind} FINAL"})
    assert kept.over("usage", {"a": "SELECT 1"}).endswith(f"FROM `a`, grid.slices{behind} FINAL)")


def test_rows_as_a_query_with_the_types_of_the_table_and_its_defaults() -> None:
    columns = [
        ColumnType("name", "String", ""),
        ColumnType("tier", "LowCardinality(String)", "'standard'"),
        ColumnType("price", "Nullable(Decimal(18, 9))", ""),
        ColumnType("note", "Enum8('a' = 1)", ""),
    ]
    found = values_query(columns, ("name", "price"), [("it's", Decimal("0.10")), ("b", None)])
    assert found == (
        "SELECT row.1 AS `name`, row.2 AS `price`,"
        " CAST('standard', 'LowCardinality(String)') AS `tier`,"
        " CAST(defaultValueOfTypeName('Enum8(\\'a\\' = 1)'), 'Enum8(\\'a\\' = 1)') AS `note`"
        " FROM (SELECT arrayJoin(CAST('[(\\'it\\\\\\'s\\',0.10),(\\'b\\',NULL)]',"
        " 'Array(Tuple(String, Nullable(Decimal(18, 9))))')) AS row)"
    )


def test_values_as_clickhouse_reads_them() -> None:
    assert literal(datetime(2026, 7, 1, 13, tzinfo=UTC)) == "'2026-07-01 13:00:00'"
    assert literal(date(2026, 7, 1)) == "'2026-07-01'"
    assert literal(Decimal("1E-9")) == "0.000000001"
    assert literal(["a'b", "c"]) == r"['a\'b','c']"
    assert literal(-3) == "-3"
    assert literal("a\\'b") == "'a\\\\\\'b'"
    with pytest.raises(TypeError, match="float"):
        literal(0.5)
