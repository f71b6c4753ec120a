"""FOCUS of any vendor: what is tokens is compared, the rest of a cloud's bill is left out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.reconcile.bill import Bill, Days
from services.reconcile.formats.detecting import Reader
from tests.unit.services.reconcile.formats.golden import GOLDEN, OCTOBER, amounts, quantities, read

OPUS = "claude-opus-5-5"


def test_version_1_4_tells_classes_and_models_in_the_details() -> None:
    bill = read("focus_1_4.csv")
    assert quantities(bill) == {
        (1, OPUS, "uncached_input"): 500_000,
        (1, OPUS, "cache_write_1h"): 2_000_000,
        (1, OPUS, "cache_read"): 8_000_000,
        (1, "", "web_searches"): 50,
    }
    assert amounts(bill)[1, OPUS, "cache_write_1h"] == "7.5"
    assert bill.providers == {"Anthropic"}
    assert bill.covered == (OCTOBER[0],)


def test_version_1_0_tells_them_in_words_and_rounds_its_blocks() -> None:
    bill = read("focus_1_0.csv")
    assert quantities(bill) == {(1, "gpt-5.6-luna", "cache_read", "batch"): 1_250_000}
    (only,) = bill.lines.values()
    assert only.slack == 500, "half of the third decimal of a million, for no row has more"
    assert bill.providers == {"OpenAI"}
    assert [(one.what, one.amount) for one in bill.left_out] == [
        ("Tax", Decimal(7)),
        ("Usage EC2", Decimal(40)),
    ]


HEADER, INPUT_ROW, *_ = (GOLDEN / "focus_1_4.csv").read_text(encoding="utf-8").splitlines()


def of(row: str) -> Bill:
    reader = Reader()
    reader.read("file", f"{HEADER}\n{row}\n")
    (bill,) = reader.bills()
    return bill


@pytest.mark.parametrize(
    ("meter", "details", "billed_as"),
    [
        ("Output Tokens", "{}", "output"),
        ("Audio Input Tokens", '{""TokenType"": ""Input""}', "audio_input"),
        ("Batch Cached Input Tokens", "{}", "cache_read"),
        ("Meter 7", '{""TokenType"": ""Reasoning""}', "reasoning"),
        ("Meter 7", '{""TokenDirection"": ""Output""}', "output"),
        (
            "Meter 7",
            '{""TokenDirection"": ""Input"", ""TokenCacheAction"": ""Write""}',
            "cache_write",
        ),
        (
            "Meter 7",
            '{""TokenDirection"": ""Input"", ""TokenCacheAction"": ""Uncached""}',
            "uncached_input",
        ),
    ],
)
def test_classes_by_details_and_by_words(meter: str, details: str, billed_as: str) -> None:
    row = INPUT_ROW.replace(",Input Tokens,", f",{meter},").replace("Input tokens", "usage")
    start = row.index('"{""ModelId')
    row = f'{row[:start]}"{details}",p1'.replace("opus-input", "sku")
    assert {key.billed_as for key in of(row).lines} == {billed_as}


@pytest.mark.parametrize(
    ("unit", "quantity", "tokens"),
    [
        ("Tokens", "500000.0", 500_000),
        ("1000000 Tokens", "0.5", 500_000),
        ("1K tokens", "500", 500_000),
        ("1,000 Tokens", "500", 500_000),
        ("1M Token", "0.5", 500_000),
    ],
)
def test_blocks_of_tokens(unit: str, quantity: str, tokens: int) -> None:
    bill = of(INPUT_ROW.replace("500000.0,Tokens", f'{quantity},"{unit}"'))
    assert set(quantities(bill).values()) == {tokens}


def test_blocks_are_rounded_to_the_finest_decimal_of_the_file() -> None:
    rows = [
        INPUT_ROW.replace("500000.0,Tokens", ",").replace("0.5,1000000", f"{count},1000000")
        for count in ("0.5", "0.123456")
    ]
    (only,) = of("\n".join(rows)).lines.values()
    assert (only.quantity, only.slack) == (623_456, 1), "two rows, each by half a token"
    (only,) = of(INPUT_ROW).lines.values()
    assert (only.quantity, only.slack) == (500_000, 0)


def test_our_own_export_names_the_unit_and_the_class_itself() -> None:
    reader = Reader()
    row = INPUT_ROW.replace("500000.0,Tokens", "9000,Milliseconds")
    reader.read("file", f"{HEADER},x_Unit,x_TokenClass\n{row},audio_milliseconds,\n")
    reader.read("other", f"{HEADER},x_Unit,x_TokenClass\n{INPUT_ROW},,image_input\n")
    (bill,) = reader.bills()
    assert {key.billed_as: one.quantity for key, one in bill.lines.items()} == {
        "audio_milliseconds": 9000,
        "image_input": 500_000,
    }


def test_a_month_in_one_row_is_compared_as_a_whole() -> None:
    bill = of(
        INPUT_ROW.replace("2026-10-02T00:00:00Z,2026-10-01", "2026-11-01T00:00:00Z,2026-10-01")
    )
    october = Days(date(2026, 10, 1), date(2026, 11, 1))
    assert bill.covered == (october,)
    assert {key.days for key in bill.lines} == {october}


def test_what_cannot_be_told_is_of_all_tokens_of_the_model() -> None:
    row = INPUT_ROW.replace("Input", "Some").replace("input", "some").replace("TokenType", "X")
    assert {key.billed_as for key in of(row).lines} == {"tokens"}
