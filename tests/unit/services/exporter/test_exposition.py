"""The text is what prometheus_client would write, in both formats, whatever the names."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import exposition as theirs
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as their_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from services.exporter import exposition as ours
from services.exporter.exposition import Exposition, Family, family, gzipped
from services.exporter.metric_definitions import METRICS

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_numbers = st.one_of(st.integers(0, 2**64 - 1), st.floats(allow_nan=False), st.booleans().map(int))


@st.composite
def _families(draw: st.DrawFn) -> list[Family]:
    chosen = draw(st.lists(st.sampled_from(METRICS), unique=True, max_size=6))
    made = []
    for meaning in chosen:
        label_sets = draw(
            st.lists(st.tuples(*[_text] * len(meaning.labels)), unique=True, max_size=3)
        )
        values: list[float] = [
            1 if meaning.type == "info" else abs(draw(_numbers)) for _ in label_sets
        ]
        made.append(Family(meaning, label_sets, values))
    return made


class AsTheirs(Collector):
    """Our families as theirs; without those that have no samples, which we leave out."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return [their_family(one) for one in self._families if one.label_sets]


def their_family(one: Family) -> Metric:
    meaning = one.meaning
    if meaning.type == "info":
        info = InfoMetricFamily(meaning.name, meaning.help)
        for labels in one.label_sets:
            info.add_metric([], dict(zip(meaning.labels, labels, strict=True)))
        return info
    kind = CounterMetricFamily if meaning.type == "counter" else GaugeMetricFamily
    made = kind(meaning.name, meaning.help, labels=meaning.labels)
    for labels, value in zip(one.label_sets, one.values, strict=True):
        made.add_metric(labels, value)
    return made


def shape(parsed: Iterable[Metric]) -> list[Any]:
    return [
        (
            one.name,
            one.type,
            one.documentation,
            [(s.name, s.labels, float(s.value)) for s in one.samples],
        )
        for one in parsed
    ]


@pytest.mark.parametrize(
    ("openmetrics", "write", "parse"),
    [
        (False, theirs.generate_latest, parse_text),
        (True, their_openmetrics.generate_latest, parse_openmetrics),
    ],
    ids=["text", "openmetrics"],
)
@given(families=_families())
def test_it_reads_as_what_prometheus_client_writes(
    openmetrics: bool,
    write: Callable[[Collector], bytes],
    parse: Callable[[str], Iterable[Metric]],
    families: list[Family],
) -> None:
    written = b"".join(Exposition().write(families, openmetrics=openmetrics)).decode()
    expected = write(AsTheirs(families)).decode()
    assert shape(parse(written)) == shape(parse(expected))
    assert comments(written) == comments(expected)


def comments(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("#")]


def test_label_texts_are_made_once_and_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(ours, "LABEL_TEXTS_MAX", 3)
    original = ours.label_text

    def counted(names: Any, values: Any) -> str:
        made.append(values)
        return original(names, values)

    monkeypatch.setattr(ours, "label_text", counted)
    exposition = Exposition()
    for _ in range(3):
        list(exposition.write([family("wattoken_up", [((), 1)])], openmetrics=False))
    assert made == [()]
    for number in range(20):
        labels = (str(number),)
        one = family("wattoken_capacity_tokens_per_second", [(labels, number)])
        (text,) = exposition.write([one], openmetrics=False)
        assert f'{{region="{number}"}} {number}\n'.encode() in text
    assert len(exposition._texts) <= 4


def test_families_that_share_a_list_of_label_sets_are_not_mixed_up() -> None:
    label_sets = [("CN",), ("US",)]
    meanings = {meaning.name: meaning for meaning in METRICS}
    families = [
        Family(meanings["wattoken_week_tokens"], label_sets, [1, 2]),
        # As many label values, other names.
        Family(meanings["wattoken_capacity_tokens_per_second"], label_sets, [3, 4]),
    ]
    text = b"".join(Exposition().write(families, openmetrics=False)).decode()
    assert 'wattoken_week_tokens{origin="US"} 2\n' in text
    assert 'wattoken_capacity_tokens_per_second{region="US"} 4\n' in text


def test_gzip_is_of_the_whole() -> None:
    chunks = [b"a" * 70_000, b"", b"b\n"]
    assert gzip.decompress(gzipped(iter(chunks))) == b"".join(chunks)
