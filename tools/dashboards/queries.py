"""PURE. Queries as panels hold them: PromQL, and SQL for the ClickHouse data source."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS_TYPE: Final = "prometheus"
CLICKHOUSE_TYPE: Final = "grafana-clickhouse-datasource"
#: A dashboard asks for its data source, so that it can be imported anywhere. Links between
#: dashboards keep variables: of one name they would hand a Prometheus on as a ClickHouse.
DATASOURCE_VARIABLES: Final = {PROMETHEUS_TYPE: "datasource", CLICKHOUSE_TYPE: "clickhouse"}

#: For SQL: each value by name when all are chosen, so it is valid either way.
IN_REGIONS: Final = "region IN (${region:singlequote})"
IN_PROVIDERS: Final = "provider IN (${provider:singlequote})"
IN_MODELS: Final = "model IN (${model:singlequote})"

Query = Builder[Dataquery]


def source(kind: str) -> DataSourceRef:
    """Refer to the data source of this plug-in that the dashboard's user chose."""
    return DataSourceRef(type_val=kind, uid=f"${{{DATASOURCE_VARIABLES[kind]}}}")


def promql(expr: str, legend: str = "", *, ref: str = "A") -> Query:
    """Ask Prometheus over the time shown; ``legend`` names the series, as ``{{label}}``."""
    return (
        prometheus.Dataquery()
        .datasource(source(PROMETHEUS_TYPE))
        .expr(expr)
        .legend_format(legend)
        .range()
        .ref_id(ref)
    )


def promql_now(expr: str, legend: str = "", *, ref: str = "A", as_table: bool = False) -> Query:
    """Ask Prometheus for the values at the end of the time shown."""
    shape = PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES
    return (
        prometheus.Dataquery()
        .datasource(source(PROMETHEUS_TYPE))
        .expr(expr)
        .legend_format(legend)
        .instant()
        .format(shape)
        .ref_id(ref)
    )


class ResultShape(IntEnum):
    """How the plug-in hands on the rows: numbers of its own (``format`` in its queries)."""

    TIME_SERIES = 0
    TABLE = 1


class ClickHouseQuery(Dataquery):
    """A query of grafana-clickhouse-datasource, which the SDK has no model of."""

    def __init__(self, text: str, shape: ResultShape, ref: str) -> None:
        self.datasource = source(CLICKHOUSE_TYPE)
        self.text = text
        self.shape = shape
        self.ref_id = ref

    def to_json(self) -> dict[str, object]:
        """Give the fields as the plug-in's SQL editor saves them."""
        return {
            "datasource": self.datasource,
            "editorType": "sql",
            "format": int(self.shape),
            "queryType": "timeseries" if self.shape is ResultShape.TIME_SERIES else "table",
            "rawSql": self.text,
            "refId": self.ref_id,
        }


class _ClickHouse(Builder[Dataquery]):
    def __init__(self, query: ClickHouseQuery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        """Give the query."""
        return self._query


def sql_rows(text: str, *, ref: str = "A") -> Query:
    """Ask ClickHouse for rows as they are."""
    return _ClickHouse(ClickHouseQuery(text.strip(), ResultShape.TABLE, ref))


def sql_series(text: str, *, ref: str = "A") -> Query:
    """Ask ClickHouse for series: columns `time`, labels, values, in ascending order of time."""
    return _ClickHouse(ClickHouseQuery(text.strip(), ResultShape.TIME_SERIES, ref))
