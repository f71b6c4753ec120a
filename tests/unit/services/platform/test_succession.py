"""Chains of logs: who follows whom, what is metered now, and what a record of it may say."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platform.errors import ConfigurationError
from services.platform.succession import (
    Stretch,
    Succession,
    chain_of,
    decode,
    encode,
    first_of_each,
    looks_like_topic,
    newest_topic,
    topic_to_meter,
)
from services.platform.succession_table import successions_of

NAMES = "abcde"


def step(predecessor: str, successor: str, *ends: tuple[int, int]) -> Succession:
    stretches = tuple(Stretch(*end) for end in ends) or None
    return Succession(f"c/{successor}", successor, 16, f"c/{predecessor}", predecessor, stretches)


CHAIN = [step(NAMES[at], NAMES[at + 1], (0, 10), (3, 3)) for at in range(len(NAMES) - 1)]


@pytest.mark.parametrize("topic", NAMES)
def test_every_topic_of_a_chain_leads_to_the_same_end(topic: str) -> None:
    for order in permutations(CHAIN):
        assert chain_of(order, topic) == CHAIN
        assert newest_topic(order, topic) == NAMES[-1]


def test_a_topic_outside_stands_alone() -> None:
    assert chain_of(CHAIN, "z") == []
    assert newest_topic(CHAIN, "z") == "z"
    assert topic_to_meter([], "z", lambda _: 0) == "z"


@pytest.mark.parametrize("topic", ["x", "y", "b"])
def test_a_circle_is_refused(topic: str) -> None:
    circle = [step("x", "y"), step("y", "x"), step("b", "x")]
    with pytest.raises(ConfigurationError, match="circle"):
        chain_of(circle, topic)


@given(metered=st.lists(st.booleans(), min_size=len(CHAIN), max_size=len(CHAIN)))
def test_metered_is_the_first_whose_end_is_not_reached(metered: list[bool]) -> None:
    left = {one.topic: int(not done) for one, done in zip(CHAIN, metered, strict=True)}
    at = metered.index(False) if False in metered else len(CHAIN)
    for topic in NAMES:
        chain = chain_of(CHAIN, topic)
        assert topic_to_meter(chain, topic, lambda one: left[one.topic]) == NAMES[at]


def test_what_is_only_announced_is_not_gone_over_to() -> None:
    chain = [step("a", "b", (0, 10)), step("b", "c")]
    assert topic_to_meter(chain, "a", lambda _: 0) == "b"


@pytest.mark.parametrize(
    ("next_offsets", "left"),
    [({}, 10), ({0: 4}, 6), ({0: 10}, 0), ({0: 11}, 0), ({1: 3}, 10), ({0: 10, 1: 9}, 0)],
)
def test_what_no_checkpoint_covers(next_offsets: dict[int, int], left: int) -> None:
    """Of partition 1 nothing is to be metered, so it never has a checkpoint."""
    assert step("a", "b", (0, 10), (3, 3)).unmetered(next_offsets) == left


def test_a_partition_never_metered_has_all_before_it() -> None:
    assert step("a", "b", (5, 10)).unmetered({}) == 5


def test_of_two_successors_the_first_named_holds() -> None:
    first, second, done = step("a", "b"), step("a", "c"), step("a", "b", (0, 1))
    assert first_of_each([first, second]) == [first]
    assert first_of_each([second, first]) == [second]
    assert first_of_each([first, second, done]) == [done]
    assert first_of_each([first, done, first]) == [done], "complete stays complete"
    assert first_of_each([done, step("a", "b", (0, 2))]) == [done], "ends are said once"


def test_of_a_topic_recreated_the_first_holds_too() -> None:
    other = Succession("c/b2", "b", 16, "c/a", "a", (Stretch(0, 1),))
    assert first_of_each([step("a", "b"), other]) == [step("a", "b")]


offsets = st.integers(0, 2**63 - 1)
texts = st.text(min_size=1, max_size=30)
names = st.from_regex(r"\A[A-Za-z0-9._-]{1,249}\Z")
successions = st.builds(
    Succession,
    texts,
    names,
    st.integers(1, 10_000),
    texts,
    names,
    st.none() | st.lists(st.builds(Stretch, offsets, offsets), max_size=20).map(tuple),
)


@given(successions)
def test_a_record_says_what_was_written(succession: Succession) -> None:
    assert decode(encode(succession)) == succession
    assert succession.complete == (succession.ends is not None)


RIGHT = encode(CHAIN[0])
WRONG = [
    *(b"", b"null", b"\xff"),
    RIGHT.replace(b'"topic":"b"', b'"topic":"b/c"'),
    RIGHT.replace(b'"topic":"b"', b'"topic":"b\\n"'),
    RIGHT.replace(b'"topic":"b"', b'"topic":""'),
    RIGHT.replace(b'"topic":"b",', b""),
    RIGHT.replace(b'"partitions":16', b'"partitions":0'),
    RIGHT.replace(b'"end":10', b'"end":-1'),
]


@pytest.mark.parametrize("data", WRONG)
def test_what_is_no_succession_is_refused(data: bytes) -> None:
    assert data != RIGHT
    with pytest.raises(ValueError):
        decode(data)


@pytest.mark.parametrize(
    ("name", "fits"),
    [("usage.events.v2", True), ("a" * 249, True), ("a" * 250, False), ("a b", False)]
    + [(name, False) for name in ("", ".", "..", "a/b", "ä", "a\n")],
)
def test_names_of_topics(name: str, fits: bool) -> None:
    assert looks_like_topic(name) == fits


def test_rows_make_whole_successions_only() -> None:
    rows = [
        (one.log, one.topic, 16, one.predecessor_log, one.predecessor_topic, 2, at, *offsets)
        for one in CHAIN
        for at, offsets in enumerate([(0, 10), (3, 3)])
    ]
    assert successions_of(rows) == CHAIN
    assert successions_of(reversed(rows)) == list(reversed(CHAIN))
    for at, without in product(range(len(CHAIN)), range(2)):
        left = [row for index, row in enumerate(rows) if index != 2 * at + without]
        assert successions_of(left) == [one for one in CHAIN if one is not CHAIN[at]]
