"""Spans around spans: whatever the order, each call counts once."""

from __future__ import annotations

import random

from services.ingest.adapters.genai import GenAiRecord
from services.ingest.adapters.nesting import SpanKey, around_calls

TRACE = "a" * 32


def span(
    name: str, parent: str = "", usage: tuple[int, int] | None = (10, 5), *, failed: bool = False
) -> GenAiRecord:
    attributes: dict[str, object] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    if usage is not None:
        attributes |= dict(
            zip(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"), usage, strict=True)
        )
    return GenAiRecord(attributes, TRACE, name, 1, 2, failed, "", parent, is_span=True)


def repeated(*spans: GenAiRecord) -> set[str]:
    parents = {(one.trace_id, one.span_id): one.parent_id for one in spans}
    calls = [one for one in spans if one.is_call]
    return {name for _, name in around_calls(calls, parents)}


def test_only_the_innermost_counts_however_they_are_ordered() -> None:
    spans = [span("1"), span("2", "1"), span("3", "2", None), span("4", "3"), span("5", "4")]
    for seed in range(20):
        random.Random(seed).shuffle(spans)
        assert repeated(*spans) == {"1", "2", "4"}


def test_a_failure_within_hides_no_usage_around_it() -> None:
    assert repeated(span("1"), span("2", "1", None, failed=True)) == set()
    assert repeated(span("1", usage=None, failed=True), span("2", "1", None, failed=True)) == {"1"}


def test_usage_further_in_than_a_failure_is_seen() -> None:
    spans = [span("1"), span("2", "1", None, failed=True), span("3", "2")]
    assert repeated(*spans) == {"1", "2"}


def test_traces_are_told_apart() -> None:
    inner = GenAiRecord(span("2", "1").attributes, "b" * 32, "2", 1, 2, False, "", "1", True)
    assert repeated(span("1"), inner) == set()


def test_parents_in_a_circle_end_the_walk() -> None:
    assert repeated(span("1", "1"), span("2", "2")) == set()
    around_calls([span("1", "2"), span("2", "1")], {(TRACE, "1"): "2", (TRACE, "2"): "1"})


def test_a_long_chain_takes_steps_not_squares() -> None:
    """Each parent is asked for a bounded number of times, however many spans share the way up."""
    links = {(TRACE, str(number)): str(number - 1) for number in range(1, 3000)}
    leaves = [span(f"leaf-{number}", "2999") for number in range(1000)]
    asked = Counting(links | {(TRACE, leaf.span_id): "2999" for leaf in leaves})
    assert around_calls(leaves, asked) == frozenset()
    assert asked.asked < 4 * len(asked)


class Counting(dict[SpanKey, str]):
    """Parents that count how often they are asked for."""

    asked = 0

    def get(self, key: SpanKey, default: object = None) -> str:
        self.asked += 1
        return super().get(key, str(default or ""))
