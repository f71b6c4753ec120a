"""PURE. Families written in Prometheus' text format 0.0.4 and in OpenMetrics 1.0, quickly.

prometheus_client makes an object of every sample and takes some two seconds for 10,000 label sets
on ten counters. Here a family is columns, the text of a label set is made once and used again for
each family and scrape, and a family is written in one go. A test holds the outcome equal to what
prometheus_client writes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.utils import floatToGoString

from services.exporter.metric_definitions import DEFINITIONS, MetricDefinition, exposed_name

LabelValues = tuple[str, ...]

#: Label texts kept; more than that many label sets are not in use at once, so old ones go.
LABEL_TEXTS_MAX: Final = 100_000
#: A scrape of 10,000 label sets is megabytes of much alike text: the fastest level suffices.
GZIP_LEVEL: Final = 1
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Family:
    """One metric's samples: the label sets, and the value of each."""

    meaning: MetricDefinition
    label_sets: Sequence[LabelValues]
    values: Sequence[float]


def family(name: str, samples: Iterable[tuple[LabelValues, float]]) -> Family:
    """Make the family of the table called ``name`` from label values and values."""
    pairs = list(samples)
    return Family(DEFINITIONS[name], [labels for labels, _ in pairs], [value for _, value in pairs])


class Exposition:
    """Writes families; remembers the texts of their label sets. For one thread at a time."""

    def __init__(self) -> None:
        self._texts: dict[tuple[tuple[str, ...], LabelValues], str] = {}
        # Families that follow each other often share the very list of their label sets.
        self._last: tuple[tuple[str, ...], Sequence[LabelValues], list[str]] = ((), (), [])

    def write(self, families: Iterable[Family], *, openmetrics: bool) -> Iterator[bytes]:
        """Yield the text, family by family; a family without samples is left out.

        Memory is that of one family's text at a time.
        """
        for one in families:
            if one.label_sets:
                yield self._family(one, openmetrics=openmetrics).encode()
        if openmetrics:
            yield b"# EOF\n"

    def _family(self, one: Family, *, openmetrics: bool) -> str:
        name = exposed_name(one.meaning)
        # OpenMetrics names the family without its samples' suffix and knows the type info.
        about = one.meaning.name.removesuffix("_total") if openmetrics else name
        kind = "gauge" if one.meaning.type == "info" and not openmetrics else one.meaning.type
        texts = self._label_texts(one)
        lines = [
            f"{name}{text} {value if type(value) is int else _float_text(value)}\n"
            for text, value in zip(texts, one.values, strict=True)
        ]
        help_text = _escape(one.meaning.help, quotes=openmetrics)
        return f"# HELP {about} {help_text}\n# TYPE {about} {kind}\n{''.join(lines)}"

    def _label_texts(self, one: Family) -> list[str]:
        names, known = one.meaning.labels, self._texts
        last_names, last_sets, last_texts = self._last
        if one.label_sets is last_sets and names == last_names:
            return last_texts
        if len(known) > LABEL_TEXTS_MAX:
            known.clear()
        texts = []
        for values in one.label_sets:
            text = known.get((names, values))
            if text is None:
                text = known[(names, values)] = label_text(names, values)
            texts.append(text)
        self._last = (names, one.label_sets, texts)
        return texts


def label_text(names: Sequence[str], values: Sequence[str]) -> str:
    """Write a label set, in braces; nothing for none."""
    pairs = ",".join(
        f'{name}="{_escape(value, quotes=True)}"' for name, value in zip(names, values, strict=True)
    )
    return f"{{{pairs}}}" if pairs else ""


def gzipped(chunks: Iterable[bytes]) -> bytes:
    """Compress what comes, without ever holding all of it in plain."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return b"".join([*(packer.compress(chunk) for chunk in chunks), packer.flush()])


def _float_text(value: float) -> str:
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


def _escape(text: str, *, quotes: bool) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped
