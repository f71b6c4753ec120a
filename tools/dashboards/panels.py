"""PURE. Panels as all dashboards draw them: what the reader must know is never left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    piechart,
    stat,
    table,
    timeseries,
    trend,
)
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.piechart import PieChartLegendValues, PieChartType

from tools.dashboards.queries import (
    CLICKHOUSE_TYPE,
    PROMETHEUS_TYPE,
    ClickHouseQuery,
    Query,
    source,
)

#: Units as Grafana calls them; `si:` puts k, M, G, T before the unit.
TOKENS: Final = "si:tok"
TOKENS_PER_SECOND: Final = "si:tok/s"
RATIO: Final = "percentunit"
COUNT: Final = "short"
PER_SECOND: Final = "cps"
SECONDS: Final = "s"
USD: Final = "currencyUSD"
TIME: Final = "dateTimeAsIso"
WEEKS: Final = "suffix: weeks"
PERCENT: Final = "percent"
NO_UNIT: Final = "none"

#: Value from which on a colour holds; None is "from the lowest on".
Steps = Sequence[tuple[float | None, str]]
Panel = Builder[dashboard.Panel]
P = TypeVar(
    "P", stat.Panel, timeseries.Panel, piechart.Panel, bargauge.Panel, table.Panel, trend.Panel
)


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says of itself, and its size on a grid of 24 columns."""

    title: str
    description: str
    unit: str
    width: int = 12
    height: int = 8


def figure(
    about: About,
    *queries: Query,
    steps: Steps = (),
    words: Mapping[str, str] | None = None,
    named: bool = False,
) -> Panel:
    """Show one number a series, with the series' name if ``named``.

    ``steps`` colour it, ``words`` say what a value means.
    """
    panel = _begin(stat.Panel(), about, queries)
    panel.reduce_options(_reduced(each_row=False))
    panel.graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    if named:
        panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    # Without any, Grafana shows what is above 80 in red, whatever it is.
    panel.thresholds(_thresholds(steps or [(None, "text")]))
    if words:
        results = {value: dashboard.ValueMappingResult(text=text) for value, text in words.items()}
        panel.mappings([dashboard.ValueMap(results)])
    return panel


def lines(
    about: About,
    *queries: Query,
    stacked: StackingMode = StackingMode.NONE,
    steps: Steps = (),
    from_zero: bool = True,
) -> Panel:
    """Draw series over time, the legend with the last and the highest value.

    ``steps`` colour the ground behind the lines.
    """
    panel = _begin(timeseries.Panel(), about, queries)
    panel.show_points(VisibilityMode.AUTO).line_width(1)
    panel.fill_opacity(10 if stacked is StackingMode.NONE else 40)
    panel.stacking(common.StackingConfig().mode(stacked).group("A"))
    panel.legend(_legend().calcs(["lastNotNull", "max"]))
    panel.tooltip(_tooltip()).color_scheme(_colour_by_name())
    if from_zero:
        panel.min(0)
    if steps:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.AREA)
        panel.thresholds(_thresholds(steps)).thresholds_style(style)
    return panel


def shares(about: About, *queries: Query, each_row: bool = False) -> Panel:
    """Draw a ring: what part of the whole each series is, or each row of a table."""
    panel = _begin(piechart.Panel(), about, queries)
    panel.pie_type(PieChartType.DONUT).color_scheme(_colour_by_name())
    panel.reduce_options(_reduced(each_row))
    panel.legend(
        piechart.PieChartLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .show_legend(True)
        .values([PieChartLegendValues.PERCENT, PieChartLegendValues.VALUE])
    )
    return panel.tooltip(_tooltip())


def bars(
    about: About,
    *queries: Query,
    highest: float | None = None,
    steps: Steps = (),
    each_row: bool = False,
    from_zero: bool = True,
) -> Panel:
    """Draw one bar a series, or a row of a table, its number beside it.

    ``highest`` is where a bar is full.
    """
    panel = _begin(bargauge.Panel(), about, queries)
    panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    panel.reduce_options(_reduced(each_row))
    if from_zero:
        panel.min(0)
    if highest is not None:
        panel.max(highest)
    if steps:
        panel.thresholds(_thresholds(steps))
    else:
        panel.color_scheme(_colour_by_name())
    return panel


def rows(
    about: About,
    *queries: Query,
    units: Mapping[str, str],
    joined_by: str | None = None,
    merged: bool = False,
    hidden: Sequence[str] = (),
    named: Mapping[str, str] | None = None,
) -> Panel:
    """Print a table; ``units`` by column, ``named`` gives columns other names first.

    With ``joined_by`` the queries' rows of one value of that label become one row; ``merged``
    does so with rows that agree in all labels.
    """
    panel = _begin(table.Panel(), about, queries)
    if joined_by is not None:
        _transform(panel, "joinByField", byField=joined_by, mode="outer")
    if merged:
        _transform(panel, "merge")
    if hidden or named:
        excluded = dict.fromkeys(hidden, True)
        _transform(panel, "organize", excludeByName=excluded, renameByName=dict(named or {}))
    for column, unit in units.items():
        panel.override_by_name(column, [dashboard.DynamicConfigValue("unit", unit)])
    return panel.filterable(True)


def curve(about: About, query: Query, *, across: str, across_unit: str, split_by: str) -> Panel:
    """Draw one line a value of ``split_by`` against ``across``, which is not a time."""
    panel = _begin(trend.Panel(), about, [query])
    # Rows of (split_by, across, value) become one column a value of split_by, named after it.
    _transform(panel, "partitionByValues", fields=[split_by], keepFields=False)
    _transform(panel, "joinByField", byField=across, mode="outer")
    panel.override_by_name(across, [dashboard.DynamicConfigValue("unit", across_unit)])
    panel.x_field(across).line_width(2).fill_opacity(5).min(0)
    panel.show_points(VisibilityMode.NEVER).color_scheme(_colour_by_name())
    return panel.legend(_legend().calcs(["max"])).tooltip(_tooltip())


def alerts(title: str, *, width: int, height: int) -> Panel:
    """List the alerts of ours that fire or are about to, of whatever source Grafana has them."""
    panel = builders.Panel().type("alertlist").title(title)
    panel.description(
        "Alerts of Wattoken that fire or are about to, with what to do: the runbook's address."
    )
    panel.options(
        {
            "alertName": "Wattoken",
            "alertInstanceLabelFilter": "",
            "dashboardAlerts": False,
            "groupBy": [],
            "groupMode": "default",
            "maxItems": 50,
            "showInstances": True,
            "sortOrder": 3,
            "stateFilter": {
                "error": True,
                "firing": True,
                "noData": False,
                "normal": False,
                "pending": True,
                "recovering": True,
            },
            "viewMode": "list",
        }
    )
    return panel.span(width).height(height)


def _transform(panel: table.Panel | trend.Panel, name: str, **options: object) -> None:
    panel.with_transformation(dashboard.DataTransformerConfig(name, options=options))


def _reduced(each_row: bool) -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(each_row).calcs(["lastNotNull"])


def _begin(panel: P, about: About, queries: Sequence[Query]) -> P:
    kinds = {
        CLICKHOUSE_TYPE if isinstance(query.build(), ClickHouseQuery) else PROMETHEUS_TYPE
        for query in queries
    }
    if len(kinds) != 1:
        raise ValueError(f"{about.title}: a panel asks one data source, not {sorted(kinds)}")
    panel.title(about.title).description(about.description).unit(about.unit)
    panel.span(about.width).height(about.height).datasource(source(kinds.pop()))
    for query in queries:
        panel.with_target(query)
    return panel


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value, colour) for value, colour in steps])
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .show_legend(True)
    )


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)


def _colour_by_name() -> builders.FieldColor:
    # A region keeps its colour from panel to panel, whatever else is shown beside it.
    return builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
