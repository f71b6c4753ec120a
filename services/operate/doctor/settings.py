"""What the doctor is told beside where Kafka and ClickHouse are."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.platform.settings import ClickHouseSettings, KafkaSettings, Settings


class ServicesSettings(Settings):
    """Where the services are, for whoever asks them."""

    ingest_url: str = Field(
        default="",
        description="Address of ingest, such as https://meter.example; of several,"
        " comma-separated.",
    )
    aggregator_url: str = Field(
        default="", description="The same of the aggregators' health ports."
    )
    exporter_url: str = Field(default="", description="The same of the exporters.")
    prometheus_url: str = Field(default="", description="Address of Prometheus.")
    services_ca_file: Path | None = Field(
        default=None,
        description="CA certificates (PEM) that sign those of these addresses; the system's where"
        " none are named.",
    )


class DoctorSettings(ServicesSettings, KafkaSettings, ClickHouseSettings):
    """Everything that `wattoken doctor` reads from its environment."""

    doctor_backup_hours: float = Field(
        default=24.0, gt=0, description="Longest time between two backups of ClickHouse."
    )
    doctor_clickhouse_users: str = Field(
        default="migrate=wattoken_migrate,aggregator=wattoken_aggregator,"
        "exporter=wattoken_exporter",
        description="ClickHouse user of each service, whose grants are looked at.",
    )
    doctor_principal_prefix: str = Field(
        default="",
        description="What the Kafka users' names begin with, before ingest, aggregator, …, as"
        " `wattoken grants --principal-prefix` has it.",
    )
