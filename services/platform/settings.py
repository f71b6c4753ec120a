"""Settings that several services read: where Kafka and ClickHouse are, and how to log.

Every service has one frozen settings class of its own, read once at its start from environment
variables with the prefix ``WATTOKEN_`` (and from files named there for secrets).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.platform.errors import ConfigurationError

S = TypeVar("S", bound=BaseSettings)


class Settings(BaseSettings):
    """Base of every service's settings."""

    model_config = SettingsConfigDict(
        env_prefix="WATTOKEN_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    log_format: Literal["json", "console"] = Field(
        default="json", description="Log lines as JSON, or for people to read."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least level that is logged."
    )


class KafkaSettings(Settings):
    """Where the log is and how to reach it."""

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", description="Kafka brokers, host:port, comma-separated."
    )
    kafka_topic: str = Field(
        default="usage.events.v1",
        description="Topic of the usage events. Where it was succeeded by another"
        " (`wattoken succeed`), that one is used, whichever of them is named here.",
    )
    kafka_successions_topic: str = Field(
        default="wattoken.successions",
        description="Topic that says which topic was succeeded by which; `wattoken migrate` makes"
        " it.",
    )
    kafka_rejected_topic: str = Field(
        default="usage.rejected.v1", description="Topic of what ingest refused."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Kafka's security protocol."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, where the protocol has SASL."
    )
    kafka_sasl_username: str = Field(default="", description="SASL user.")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), description="SASL password; better given as a file."
    )
    kafka_sasl_password_file: Path | None = Field(
        default=None, description="File with the SASL password."
    )
    kafka_ssl_ca_file: Path | None = Field(
        default=None,
        description="CA certificates (PEM) that sign the brokers' certificates; the system's where"
        " none are named.",
    )
    kafka_ssl_certificate_file: Path | None = Field(
        default=None,
        description="Certificate (PEM, with its chain) that says who we are, where brokers ask for"
        " one.",
    )
    kafka_ssl_key_file: Path | None = Field(
        default=None, description="Private key (PEM) of that certificate."
    )
    kafka_ssl_key_password_file: Path | None = Field(
        default=None, description="File with the password of the key, where it is encrypted."
    )


class ClickHouseSettings(Settings):
    """Where the database is and who we are there."""

    clickhouse_host: str = Field(default="127.0.0.1", description="ClickHouse host.")
    clickhouse_port: int = Field(default=8123, description="ClickHouse HTTP(S) port.")
    clickhouse_secure: bool = Field(default=False, description="Use HTTPS.")
    clickhouse_ca_file: Path | None = Field(
        default=None,
        description="CA certificates (PEM) that sign the server's; a public list where none are"
        " named.",
    )
    clickhouse_certificate_file: Path | None = Field(
        default=None,
        description="Certificate (PEM, with its chain) that says who we are, where the server asks"
        " for one.",
    )
    clickhouse_key_file: Path | None = Field(
        default=None, description="Private key (PEM, not encrypted) of that certificate."
    )
    clickhouse_database: str = Field(default="wattoken", description="Database of all tables.")
    clickhouse_user: str = Field(default="default", description="ClickHouse user.")
    clickhouse_password: SecretStr = Field(
        default=SecretStr(""), description="ClickHouse password; better given as a file."
    )
    clickhouse_password_file: Path | None = Field(
        default=None, description="File with the ClickHouse password."
    )
    clickhouse_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait for one answer of ClickHouse."
    )


class TraceSettings(Settings):
    """Whether a service says of its work what it does and how long that takes."""

    traces: bool = Field(
        default=False,
        description="Send traces by OTLP/HTTP; needs the extra `traces`. Where to and how many is"
        " said by OpenTelemetry's own variables (docs/traces.md).",
    )


class CatalogueSettings(Settings):
    """Where a catalogue of your own is."""

    catalogue_dir: Path | None = Field(
        default=None,
        description="Folder with models.yaml, providers.yaml, regions.yaml, tariffs.yaml, tou.yaml"
        " or rates.yaml; each replaces the shipped file of its name.",
    )


def read_settings(cls: type[S], **overrides: object) -> S:
    """Read the settings once; ``overrides`` (not None) win over the environment.

    Raises `ConfigurationError` naming the environment variable and what is wrong with it.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return cls(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        prefix = cls.model_config.get("env_prefix") or ""
        problems = "; ".join(
            f"{prefix}{'_'.join(str(part) for part in problem['loc'])}".upper()
            + f": {problem['msg']}"
            for problem in error.errors(include_url=False)
        )
        raise ConfigurationError(f"bad settings: {problems}") from None
