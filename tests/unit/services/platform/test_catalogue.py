"""A wrong catalogue is a setting to mend; contents of a table are told apart by their checksum."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from schemas.catalogue.rows import TableRows, table_rows
from services.platform.catalogue import checksum, read_catalogue
from services.platform.errors import ConfigurationError

CONTENT = TableRows("prices", ("name", "usd"), (("a", Decimal("0.10")), ("b", None)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models", "models: 7\n"),
        ("providers", "7\n"),
        ("regions", "regions: [\n"),
        ("tariffs", "version: x\ntariffs: []\nmore: 1\n"),
        ("tou", ""),
    ],
)
def test_a_file_that_is_wrong_is_named_in_a_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_catalogue(tmp_path)
    assert str(tmp_path / f"{name}.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"{tmp_path}/none is no folder")):
        read_catalogue(tmp_path / "none")


def test_without_a_folder_the_shipped_one_is_read() -> None:
    assert read_catalogue(None) == load_catalogue()


def test_the_same_loaded_again_has_the_same_checksums() -> None:
    first, second = (
        {content.table: checksum(content) for content in table_rows(load_catalogue())}
        for _ in range(2)
    )
    assert first == second
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (("name", "eur"), CONTENT.rows),
        (CONTENT.columns, ()),
        (CONTENT.columns, CONTENT.rows[:1]),
        (CONTENT.columns, CONTENT.rows[::-1]),
        # As ClickHouse is sent it, each of these is something else.
        (CONTENT.columns, (("a", Decimal("0.11")), ("b", None))),
        (CONTENT.columns, (("a", Decimal("0.10")), ("b", ""))),
        (CONTENT.columns, (("a", Decimal("0.10")), ("b", "None"))),
        (CONTENT.columns, (("a", "0.10"), ("b", None))),
        (CONTENT.columns, (("a", datetime(1970, 1, 1, tzinfo=UTC)), ("b", None))),
    ],
)
def test_another_content_has_another_checksum(
    columns: tuple[str, ...], rows: tuple[tuple[object, ...], ...]
) -> None:
    assert checksum(replace(CONTENT, columns=columns, rows=rows)) != checksum(CONTENT)


def test_a_checksum_can_stand_in_a_comment_of_sql() -> None:
    hostile = replace(CONTENT, rows=(("it's \\", "'; DROP TABLE prices"),))
    assert re.fullmatch(r"catalogue sha256:[0-9a-f]{64}", checksum(hostile))
