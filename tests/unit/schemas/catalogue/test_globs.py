"""Globs: `*` is any text, case does not matter, everything else stands for itself."""

from __future__ import annotations

import pytest

from schemas.catalogue.globs import literal_length, matches


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("gpt-*", "GPT-5.6-luna", True),
        ("gpt-*", "chatgpt-5", False),
        ("*claude*", "anthropic.claude-opus-5.5-v1:0", True),
        ("gpt-5.6", "gpt-5x6", False),
        ("a_b", "axb", False),
        ("a%b", "a--b", False),
        ("*", "", True),
        ("*", "two\nlines", True),
        ("", "x", False),
        ("[a-z]", "b", False),
    ],
)
def test_matches(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


def test_literal_length_counts_what_is_no_star() -> None:
    assert literal_length("*gpt-*") == 4
    assert literal_length("*") == 0
