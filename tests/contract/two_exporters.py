"""What Prometheus answers with one exporter and with two that tell the same: promtool plays both.

Everything the exporters tell bears an ``instance`` here, as a Prometheus adds it; what other
services tell stays as it is.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.exporter.metric_definitions import METRICS, exposed_name

EXPORTERS: Final = ("first", "second")
#: Always part of an answer, so that there is one for each question.
NOTHING: Final = 'label_replace(vector(0), "nothing", "true", "", "")'
#: Labels but the exporter's ``instance``, and the value.
Answer = dict[frozenset[tuple[str, str]], float]

_NAMES: Final = frozenset(exposed_name(metric) for metric in METRICS)
_MINUTES: Final = 180
_SERIES: Final = re.compile(r"(\w+)(?:\{(.*)\})?")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SAMPLE: Final = re.compile(r'(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) ([-+\w.]+)')


@dataclass(frozen=True, slots=True)
class Case:
    """Samples over time, and what is asked of them: PromQL, and when."""

    name: str
    interval: str
    series: Sequence[Mapping[str, str]]
    questions: Sequence[tuple[str, str]]


def told_by(exporters: Sequence[str], series: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A series as so many exporters tell it; what is not theirs, as it is."""
    found = _SERIES.fullmatch(series["series"])
    assert found is not None, series
    name, labels = found[1], dict(_LABEL.findall(found[2] or ""))
    theirs = name in _NAMES or (name == "up" and labels["job"].endswith("exporter"))
    if not theirs:
        yield {"series": series["series"], "values": series["values"]}
        return
    for exporter in exporters:
        told = ", ".join(f'{k}="{v}"' for k, v in ({**labels, "instance": exporter}).items())
        yield {"series": f"{name}{{{told}}}", "values": series["values"]}


def world(questions: Sequence[str]) -> Case:
    """Three hours in which each of the exporter's metrics has series of its own, and is asked."""
    series = [
        {
            "series": f"{exposed_name(metric)}{{{', '.join(labels)}}}",
            # Numbers of which no two sums are alike.
            "values": f"{number * 7}+{number}x{_MINUTES}",
        }
        for place, metric in enumerate(METRICS)
        for number, labels in enumerate(
            _label_sets(metric.labels, metric.type), start=100 * place + 1
        )
    ]
    # Of other services, which are as many as they are.
    for histogram in ("wattoken_ingest_delivery_seconds", "wattoken_aggregator_flush_seconds"):
        for worker, (bound, growth) in itertools.product("ab", (("0.1", 2), ("1", 5), ("+Inf", 6))):
            labels_of = f'le="{bound}", instance="{worker}"'
            series.append(
                {
                    "series": f"{histogram}_bucket{{{labels_of}}}",
                    "values": f"0+{growth}x{_MINUTES}",
                }
            )
    series.append(
        {
            "series": 'wattoken_aggregator_build_info{version="2", instance="a"}',
            "values": f"_x{_MINUTES - 3} 1x3",
        }
    )
    at = f"{_MINUTES}m"
    return Case("the world", "1m", series, [(question, at) for question in questions])


def _label_sets(labels: Sequence[str], kind: str) -> Iterator[list[str]]:
    """Two values of each label, in all their combinations; of what is info on something, two."""
    values = [(f"{label}-1", f"{label}-2") for label in labels]
    sets = zip(*values, strict=True) if kind == "info" else itertools.product(*values)
    for chosen in sets:
        yield [f'{label}="{value}"' for label, value in zip(labels, chosen, strict=True)]


def answers(
    promtool: Path, folder: Path, rules: Sequence[Path], cases: Sequence[Case]
) -> Iterator[tuple[Case, list[Answer], list[Answer]]]:
    """What is answered to each question of each case with one exporter, and what with two."""
    document = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": "1m",
        "tests": [_test(case, EXPORTERS[:number]) for case in cases for number in (1, 2)],
    }
    file = folder / "cases.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    found = [_answer(line) for line in re.findall(r"^\s+got: (.*)$", said, re.MULTILINE)]
    assert len(found) == 2 * sum(len(case.questions) for case in cases), said
    each = iter(found)
    for case in cases:
        one, two = ([next(each) for _ in case.questions] for _ in (1, 2))
        yield case, one, two


def _test(case: Case, exporters: Sequence[str]) -> dict[str, Any]:
    told = (told for series in case.series for told in told_by(exporters, series))
    asked = [
        {"expr": f"({expression}) or {NOTHING}", "eval_time": at, "exp_samples": []}
        for expression, at in case.questions
    ]
    return {"interval": case.interval, "input_series": list(told), "promql_expr_test": asked}


def _answer(line: str) -> Answer:
    found: Answer = {}
    for labels, value in _SAMPLE.findall(line):
        named = dict(_LABEL.findall(labels))
        if "nothing" not in named:
            found[frozenset(named.items())] = float(value)
    return found


def whatever_exporter(expression: str) -> tuple[str, str]:
    """The lowest and the highest of what several exporters say, where an answer is by exporter."""
    return (f"min without (instance) ({expression})", f"max without (instance) ({expression})")


def cases_of(document: Mapping[str, Any], alerts: Mapping[str, str]) -> Iterator[Case]:
    """The cases of a file of rule tests: each question, and each alert and its expression."""
    for case in document["tests"]:
        questions: list[tuple[str, str]] = []
        for check in case.get("promql_expr_test", ()):
            for one in whatever_exporter(check["expr"]):
                questions.append((one, str(check["eval_time"])))
        for check in case.get("alert_rule_test", ()):
            name = check["alertname"]
            firing = f'ALERTS{{alertname="{name}", alertstate="firing"}}'
            for one in (*whatever_exporter(firing), *whatever_exporter(alerts[name])):
                questions.append((one, str(check["eval_time"])))
        yield Case(case["name"], case["interval"], case["input_series"], questions)
