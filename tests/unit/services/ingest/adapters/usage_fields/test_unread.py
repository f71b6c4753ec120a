"""Names come from clients: they are kept short, few and harmless."""

from __future__ import annotations

from services.ingest.adapters.usage_fields import unread
from services.ingest.adapters.usage_fields.unread import Unread


def test_what_is_noted_is_collected_here_and_nowhere_else() -> None:
    found, within = Unread(), Unread()
    unread.note("a", ["before"])
    with unread.collecting(found):
        unread.note("a", ["x", "y"])
        with unread.collecting(within):
            unread.note("a", ["inner"])
        unread.note("b", ["x"])
        unread.note("a", ["x"])
    unread.note("a", ["after"])
    assert found == {("a", "x"): 2, ("a", "y"): 1, ("b", "x"): 1}
    assert within == {("a", "inner"): 1}


def test_names_that_are_no_fields_share_one() -> None:
    found = Unread()
    with unread.collecting(found):
        unread.note("a", ["x" * 97, 'a"b', "a\nb", "grüß", "", "iterations[].new_tokens"])
    assert found == {("a", unread.OTHER): 5, ("a", "iterations[].new_tokens"): 1}


def test_of_many_names_the_rest_share_one() -> None:
    found = Unread()
    with unread.collecting(found):
        unread.note("a", [f"n{number}" for number in range(1000)])
    assert len(found) == 65
    assert found.total() == 1000
