"""Settings of the exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from services.platform.settings import ClickHouseSettings, KafkaSettings

#: An address with neither user nor password, which the page or a message would show; or none.
ADDRESS: Final = r"^(https?://[^\s@]+)?$"


class ExporterSettings(ClickHouseSettings, KafkaSettings):
    """Where the exporter listens, what it may show, and how long a scrape may take."""

    exporter_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    exporter_port: int = Field(default=9700, ge=1, le=65535, description="Port to listen on.")
    exporter_connections_max: int = Field(
        default=1024,
        gt=0,
        description="Most connections that stay open; beyond it those idle longest are closed.",
    )
    exporter_connections_per_address_max: int = Field(
        default=128,
        gt=0,
        description="The same of one address (of IPv6, one /64), such as a proxy's.",
    )
    exporter_idle_seconds: float = Field(
        default=75.0, gt=0, description="Longest that a connection stays open without a request."
    )
    exporter_max_series: int = Field(
        default=10_000,
        ge=1,
        description="Most label sets (region, provider, model) shown by name; the rest are summed"
        ' into one labelled "other".',
    )
    exporter_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Longest wait of one scrape for ClickHouse and Kafka. Keep it below"
        " Prometheus' scrape_timeout (10 s by default), or a scrape fails whole instead of"
        " answering without the families that are missing.",
    )
    exporter_refresh_seconds: float = Field(
        default=15.0,
        ge=0,
        description="Least time between two readings of what is too heavy for every scrape:"
        " demand, peaks, bills, league, catalogue, reconciliation. One that took long waits for"
        " four times as long. 0 reads all of it for every scrape.",
    )
    exporter_reading_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Longest wait for one of these readings; no scrape waits for it.",
    )
    exporter_state_dir: Path | None = Field(
        default=None,
        description="Folder, of this exporter alone, for the file that remembers over restarts how"
        " high the counters were shown and which label sets have a name. Without it a restart after"
        ' a restored backup lets counters fall, and what was in "other" may get a name.',
    )
    exporter_heights_seconds: float = Field(
        default=2.0,
        ge=0,
        description="Least time between two writes of that file. What is shown is on disk before"
        " it is shown, so a scrape that comes sooner shows the counters of the one before it.",
    )
    exporter_prometheus_url: str = Field(
        default="",
        pattern=ADDRESS,
        description="Address of the Prometheus that evaluates Wattoken's alerts, such as"
        " `http://prometheus:9090`: the control room shows those that fire. Without it there is no"
        " panel of alerts.",
    )
    exporter_grafana_url: str = Field(
        default="",
        pattern=ADDRESS,
        description="Address of Grafana as viewers reach it: the control room links to it.",
    )
    exporter_runbook_url: str = Field(
        default="https://github.com/wattoken/wattoken/blob/main/docs/runbook.md",
        pattern=ADDRESS,
        description="Address of the runbook: the control room links to its sections. Empty for no"
        " links.",
    )
    revision: str = Field(
        default="unknown", description="Commit this program was built from, for build_info."
    )
