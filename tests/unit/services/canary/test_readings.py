"""The exporter's text, as the canary reads it."""

from __future__ import annotations

import pytest

from services.canary.books import Metered
from services.canary.readings import QUERY, metered_in
from services.exporter.exposition import Exposition, family
from services.exporter.families import canary_families
from services.exporter.rows import REGISTER_COLUMNS, RegisterRow, Series

NAME = "wattoken-canary"
UP = family("wattoken_scrape_collector_success", [(("log",), 0), (("registers",), 1)])
DOWN = family("wattoken_scrape_collector_success", [(("log",), 1), (("registers",), 0)])


def row(region: str, model: str, requests: int, tokens: int) -> RegisterRow:
    totals = {"requests": requests, "input_tokens": tokens, "output_tokens": tokens + 1}
    return RegisterRow(
        Series(region, region, model), tuple(totals.get(name, 0) for name in REGISTER_COLUMNS)
    )


@pytest.mark.parametrize("openmetrics", [False, True])
def test_it_reads_what_the_exporter_writes(openmetrics: bool) -> None:
    rows = [row(NAME, NAME, 3, 2**60), row(NAME, "other", 1, 10), row(f"{NAME}-2", NAME, 7, 70)]
    text = b"".join(
        Exposition().write([*canary_families(rows), UP], openmetrics=openmetrics)
    ).decode()
    assert metered_in(text, NAME) == Metered(4, 2**60 + 10, 2**60 + 12)
    assert metered_in(text, f"{NAME}-2") == Metered(7, 70, 71)


def test_registers_that_hold_nothing_are_not_registers_that_are_not_read() -> None:
    def said(one: object) -> str:
        return b"".join(Exposition().write([one], openmetrics=False)).decode()  # type: ignore[list-item]

    assert metered_in(said(UP), NAME) == Metered(0, 0, 0)
    assert metered_in(said(DOWN), NAME) is None
    with pytest.raises(ValueError, match="is it an exporter"):
        metered_in("<html>", NAME)


def test_it_asks_for_what_it_reads() -> None:
    asked = [one.removeprefix("name[]=") for one in QUERY.split("&")]
    written = {one.meaning.name for one in (*canary_families([]), UP)}
    assert set(asked) == written
