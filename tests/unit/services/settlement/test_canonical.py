"""Canonical JSON as RFC 8785 has it; decimals in one form. Maker and verifier write alike."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.settlement.canonical import canonical, decimal_text
from services.verify import canonical as verifier
from services.verify.fields import Fields

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXT,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), inner)
    ),
)


def test_texts_are_escaped_as_rfc_8785_says() -> None:
    """The string of its section 3.2.2.2, and its order of names."""
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"
    expected = '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'
    assert canonical(text) == expected.encode()
    assert (
        canonical({"b": "2", "a": {"d": [], "c": "\x7f"}}) == b'{"a":{"c":"\x7f","d":[]},"b":"2"}'
    )


@given(VALUES)
def test_maker_and_verifier_write_alike_and_what_json_reads_back(value: object) -> None:
    content = canonical(value)
    assert content == verifier.canonical(value)
    assert json.loads(content) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("-0.000", "0"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1.500000000", "1.5"),
        ("-0.000000000000001", "-0.000000000000001"),
        ("10.0", "10"),
    ],
)
def test_decimals_have_one_form(number: str, text: str) -> None:
    assert decimal_text(Decimal(number)) == text


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=15).filter(lambda n: abs(n) < 10**60)
)
def test_what_the_maker_writes_the_verifier_reads(number: Decimal) -> None:
    assert Fields("x", {"n": decimal_text(number)}, ("n",)).decimal("n") == number
