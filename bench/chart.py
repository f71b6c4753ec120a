"""Charts of the results, as PNG on a light ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.peers.grain import MINUTES, Grain
from bench.results import WATTOKEN
from bench.same_rows import CONNECTIONS, IN_TURN, PARALLEL

#: What a reader calls each program.
LABELS = {
    "wattoken": "Wattoken aggregator\n(exact, dedup, to ClickHouse)",
    "stock_faust_windowed": "Faust, windowed table",
    "stock_faust_agent": "Faust, bare agent",
    "quix_streams": "Quix Streams, tumbling window",
    "clickhouse_kafka_engine": "ClickHouse Kafka engine\n+ materialized view",
    "kafka_streams": "Kafka Streams (Java),\nwindowed sum",
    "flink_sql": "Flink SQL (Java),\nwindowed sum",
    PARALLEL: "ClickHouse, the same rows only\n(the limit of writing)",
    IN_TURN: "ClickHouse, the same rows only,\none insert at a time",
    "librdkafka_limit": "confluent-kafka, reading only\n(the limit)",
}
OWN_COLOUR, PEER_COLOUR, LIMIT_COLOUR = "#1a6fb5", "#9aa5b1", "#d8dde3"
INK, GRID = "#1f2933", "#e4e7eb"


def draw_throughput(
    rates: Mapping[str, float], subtitle: str, path: Path, grain: Grain = MINUTES
) -> None:
    """Draw a bar for each program, the fastest on top, with its events per second."""
    with mpl.rc_context({"font.size": 10, "text.color": INK, "axes.labelcolor": INK}):
        names = sorted(rates, key=lambda name: rates[name])
        figure = Figure(figsize=(9, 1.4 + 0.62 * len(names)), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        colours = [_colour(name) for name in names]
        bars = axes.barh(
            [LABELS.get(name, name) for name in names],
            [rates[name] for name in names],
            color=colours,
            height=0.66,
        )
        axes.bar_label(bars, [f"{rates[name]:,.0f}" for name in names], padding=5, color=INK)
        axes.set_xlim(0, max(rates.values()) * 1.14)
        axes.set_xlabel("events per second")
        _clean(axes, "x")
        words = ", ".join((grain.name, *grain.columns[:-1]))
        title = f"Tokens summed per {words} and {grain.columns[-1]}"
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
        figure.supxlabel(subtitle, x=0.01, ha="left", fontsize=8, color="#52606d")
        _save(figure, path)


def draw_predictions(bars: Mapping[str, tuple[float, float]], path: Path) -> None:
    """Draw for each shape what was measured, and what a model says that had not seen it."""
    with mpl.rc_context({"font.size": 10, "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(9, 1.4 + 0.62 * len(bars)), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        kinds = (("measured", OWN_COLOUR, -0.2), ("predicted by the others", PEER_COLOUR, 0.2))
        for place, (label, colour, shift) in enumerate(kinds):
            drawn = axes.barh(
                [at + shift for at in range(len(bars))],
                [pair[place] for pair in bars.values()],
                color=colour,
                height=0.36,
                label=label,
            )
            axes.bar_label(drawn, fmt="{:,.0f}", padding=5, color=INK)
        axes.set_yticks(range(len(bars)), list(bars))
        axes.set_xlim(0, max(max(pair) for pair in bars.values()) * 1.14)
        axes.set_xlabel("events per second, one worker on two processors")
        axes.legend(frameon=False, loc="lower right")
        axes.invert_yaxis()
        _clean(axes, "x")
        axes.set_title("What was measured, and what the model says", loc="left", weight="bold")
        _save(figure, path)


def draw_growth(
    points: Sequence[tuple[float, float]], title: str, x_label: str, y_label: str, path: Path
) -> None:
    """Draw a line through (x, y) with each y written at its point; x on a log scale."""
    with mpl.rc_context({"font.size": 10, "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(6, 3.6), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, marker="o", color=OWN_COLOUR, linewidth=2)
        axes.set_xscale("log")
        axes.set_xticks(xs, [f"{x:,.0f}" for x in xs])
        axes.minorticks_off()
        axes.set_ylim(0, max(ys) * 1.2)
        for x, y in points:
            text = f"{y:,.0f}" if y >= 100 else f"{y:.2g}"
            axes.annotate(text, (x, y), (0, 7), textcoords="offset points", ha="center")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _clean(axes, "y")
        axes.set_title(title, loc="left", weight="bold")
        _save(figure, path)


def _colour(name: str) -> str:
    if name == WATTOKEN:
        return OWN_COLOUR
    return LIMIT_COLOUR if name in ("librdkafka_limit", *CONNECTIONS) else PEER_COLOUR


def _clean(axes: Axes, grid_axis: Literal["x", "y"]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis=grid_axis, color=GRID)
    (axes.xaxis if grid_axis == "x" else axes.yaxis).set_major_formatter("{x:,.10g}")
    axes.tick_params(length=0)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor="white")
