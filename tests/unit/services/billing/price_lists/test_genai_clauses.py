"""Clauses of genai-prices as names and patterns; each lets the same names through as the clause."""

from __future__ import annotations

import pytest

from schemas.catalogue.listed_tariffs import NamePattern
from services.billing.price_lists.drawn import NotTaken
from services.billing.price_lists.genai_clauses import names_and_patterns
from tests.unit.services.billing.price_lists.fakes import clause


def lets_through(one: object, name: str) -> bool:
    names, patterns = names_and_patterns(one)
    return name in names or any(pattern.matches(name) for pattern in patterns)


@pytest.mark.parametrize(
    ("one", "through", "not_through"),
    [
        (clause("equals", "GPT-5"), ["gpt-5"], ["gpt-5x", "xgpt-5"]),
        (clause("starts_with", "gpt.5"), ["gpt.5", "gpt.5-x"], ["gptx5", "a-gpt.5"]),
        (clause("ends_with", "-v1:0"), ["a-v1:0"], ["a-v1:01"]),
        (clause("contains", "flash"), ["flash", "a-flash-b"], ["flas"]),
        (clause("regex", r"^m-\d{4}$"), ["m-2026"], ["m-20261"]),
        (
            clause("and_", [clause("starts_with", "m"), clause("regex", "^(?!.*-tts(?:$|-))")]),
            ["m", "m-ttsx"],
            ["m-tts", "m-tts-1"],
        ),
        (
            clause("or_", [clause("equals", "a"), clause("and_", [clause("contains", "b")] * 2)]),
            ["a", "xb"],
            ["x"],
        ),
        (
            clause(
                "and_",
                [clause("or_", [clause("equals", "a"), clause("contains", "b")])]
                + [clause("ends_with", "c")],
            ),
            ["bc", "xbc"],
            ["a", "b", "c"],
        ),
    ],
)
def test_the_same_names_are_let_through(
    one: object, through: list[str], not_through: list[str]
) -> None:
    assert [name for name in through if not lets_through(one, name)] == []
    assert [name for name in not_through if lets_through(one, name)] == []


def test_whole_names_are_no_patterns() -> None:
    both = clause("or_", [clause("equals", "A"), clause("equals", "a"), clause("contains", "b")])
    assert names_and_patterns(both) == (("a",), (NamePattern(like=("b",)),))


@pytest.mark.parametrize(
    ("one", "complaint"),
    [
        (clause("sounds_like", "a"), "not known here: sounds_like"),
        (clause("regex", "(?<=a)b"), "cannot be translated"),
        (clause("regex", "^(?!a)b"), "cannot be translated"),
    ],
)
def test_what_cannot_be_translated_is_not_taken(one: object, complaint: str) -> None:
    with pytest.raises(NotTaken, match=complaint):
        names_and_patterns(one)
