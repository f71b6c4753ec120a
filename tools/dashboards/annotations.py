"""PURE. What is marked on the time of every dashboard that asks Prometheus."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders

from tools.dashboards.queries import PROMETHEUS_TYPE, source

#: Whose alerts they are, by their names.
ALERTS: Final = 'alertname=~"Wattoken.+"'


def _annotation(
    name: str, colour: str, expr: str, title: str, text: str
) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(source(PROMETHEUS_TYPE))
        .enable(True)
        .icon_color(colour)
        .expr(expr)
        .title_format(title)
        .text_format(text)
    )


def _since(build: str) -> str:
    """1 for the five minutes in which a version is new."""
    labels = f"max by (version) ({build}_info)"
    return f"{labels} unless max by (version) ({build}_info offset 5m)"


ANNOTATIONS: Final = (
    _annotation(
        "Alerts",
        "red",
        # Of two exporters, which tell the same, each has its alerts.
        "max by (alertname, severity, region, partition, slo)"
        f' (ALERTS{{{ALERTS}, alertstate="firing"}})',
        "{{alertname}}",
        "{{severity}} {{slo}} {{region}} {{partition}}",
    ),
    _annotation(
        "New versions",
        "blue",
        f"{_since('wattoken_aggregator_build')} or {_since('wattoken_build')}",
        "Version {{version}}",
        "A worker or an exporter of it runs for the first time.",
    ),
)
