from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.platform.clickhouse import all_rows
from services.platform.errors import DatabaseUnavailableError


class Answering:
    """A client whose answers are given."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def query(self, text: str, parameters: Any) -> Any:
        assert text == "SELECT groupArray(tuple(*)) FROM (SELECT 1)"
        return SimpleNamespace(result_rows=self.rows)


def test_rows_come_in_one_row() -> None:
    client: Any = Answering([([(1, "a"), (2, "b")],)])
    assert all_rows(client, "SELECT 1", {}) == [(1, "a"), (2, "b")]
    assert all_rows(Answering([([],)]), "SELECT 1", {}) == []


def test_nothing_at_all_is_no_answer() -> None:
    with pytest.raises(DatabaseUnavailableError, match="disk is full"):
        all_rows(Answering([]), "SELECT 1", {})
