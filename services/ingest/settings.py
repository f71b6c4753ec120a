"""Settings of ingest: where it listens, whom it knows, and the limits it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.ingest.keys.limits import SERIES_MAX
from services.ingest.structure import PARTS_MAX
from services.platform.settings import KafkaSettings, TraceSettings

MIB = 1024 * 1024


class IngestSettings(KafkaSettings, TraceSettings):
    """What ingest reads from the environment, once, at its start."""

    ingest_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    ingest_port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on.")
    ingest_tls_certificate_file: Path | None = Field(
        default=None,
        description="Certificate and its chain (PEM). With it and the key ingest serves HTTPS, and"
        " nothing else, on its port; without both, HTTP.",
    )
    ingest_tls_key_file: Path | None = Field(
        default=None, description="The certificate's private key (PEM, not encrypted)."
    )
    ingest_tls_reload_seconds: float = Field(
        default=1.0, gt=0, description="How often both files are looked at for changes."
    )
    ingest_connections_max: int = Field(
        default=4096,
        gt=0,
        description="Most connections that stay open; beyond it those idle longest are closed.",
    )
    ingest_connections_per_address_max: int = Field(
        default=256,
        gt=0,
        description="The same of one address (of IPv6, one /64). Behind a proxy all come from its"
        " address: raise it to what the proxy keeps open.",
    )
    ingest_idle_seconds: float = Field(
        default=75.0,
        gt=0,
        description="Longest that a connection stays open without a request. A proxy before ingest"
        " should close its own sooner.",
    )
    ingest_keys_file: Path | None = Field(
        default=None, description="YAML file of the API keys; ingest does not start without one."
    )
    ingest_pepper_file: Path | None = Field(
        default=None, description="File with the pepper under which the keys' secrets are hashed."
    )
    ingest_wire_bytes_max: int = Field(
        default=8 * MIB, gt=0, description="Largest request body as it comes over the wire."
    )
    ingest_gateway_wire_bytes_max: int = Field(
        default=32 * MIB,
        gt=0,
        description="The same for the paths of gateways' logs and OTLP, which carry conversations.",
    )
    ingest_body_bytes_max: int = Field(
        default=32 * MIB, gt=0, description="Largest request body once decompressed."
    )
    ingest_held_bytes_max: int = Field(
        default=256 * MIB,
        gt=0,
        description="Most bytes of request bodies held at a time; beyond it ingest answers 503.",
    )
    ingest_key_held_bytes_max: int = Field(
        default=96 * MIB,
        gt=0,
        description="The same of one API key, so that one alone holds up no other; beyond it ingest"
        " answers 429. A compressed body takes its own bytes and the largest body's.",
    )
    ingest_key_requests_max: int = Field(
        default=256,
        gt=0,
        description="Most requests of one API key that are read at a time; beyond it ingest answers"
        " 429.",
    )
    ingest_events_max: int = Field(default=10_000, gt=0, description="Most events in one request.")
    ingest_parts_max: int = Field(
        default=PARTS_MAX,
        gt=0,
        description="Most values of JSON (commas and opening brackets outside texts), or fields of"
        " protobuf, in one request; each may take fifty times its bytes of memory.",
    )
    ingest_event_bytes_max: int = Field(
        default=1_000_000,
        gt=0,
        le=1_000_000,
        description="Largest single event; Kafka takes no message above 1 MB.",
    )
    ingest_read_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Longest wait for a whole request body."
    )
    ingest_read_bytes_per_second_min: float = Field(
        default=1024.0,
        ge=0,
        description="Slowest a request body may come, after 5 s of grace; 0 for no limit.",
    )
    ingest_keys_reload_seconds: float = Field(
        default=1.0, gt=0, description="How often the keys file is looked at for changes."
    )
    ingest_key_events_per_second: float = Field(
        default=50_000.0,
        ge=0,
        description="Events/s of a key that has no limit of its own, in each ingest process; 0 for"
        " no limit.",
    )
    ingest_key_bytes_per_second: float = Field(
        default=64.0 * 2**20,
        ge=0,
        description="Bytes/s on the wire of a key that has no limit of its own, in each ingest"
        " process; 0 for no limit.",
    )
    ingest_key_models_max: int = Field(
        default=1000, gt=0, description="Distinct models in a day of a key without its own limit."
    )
    ingest_key_regions_max: int = Field(
        default=100, gt=0, description="Distinct regions in a day of a key without its own limit."
    )
    ingest_key_providers_max: int = Field(
        default=100, gt=0, description="Distinct providers in a day of a key without its own limit."
    )
    ingest_key_series_max: int = Field(
        default=SERIES_MAX,
        gt=0,
        description="Distinct combinations of region, provider and model in a day of a key without"
        " its own limit.",
    )
    ingest_series_max: int = Field(
        default=20_000,
        gt=0,
        description="The same for all keys together, in one ingest process.",
    )
    ingest_event_age_max_days: float = Field(
        default=35.0,
        gt=0,
        le=36_500,
        description="Older events are refused; must be what `wattoken migrate"
        " --max-event-age-days` stored with the log.",
    )
    ingest_event_ahead_max_seconds: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="Events further in the future are refused, as the log's rules do.",
    )
    ingest_rejected_payload_bytes_max: int = Field(
        default=16 * 1024,
        gt=0,
        le=256 * 1024,
        description="Most that is kept of one refused payload, after it was redacted.",
    )
    ingest_rejected_key_bytes_per_day: int = Field(
        default=16 * MIB,
        ge=0,
        description="Bytes of rejections that are kept for one API key in a day; 0 keeps none.",
    )
    ingest_rejected_bytes_per_day: int = Field(
        default=256 * MIB,
        ge=0,
        description="Bytes of rejections that are kept for all API keys in a day.",
    )
    ingest_in_flight_bytes_max: int = Field(
        default=64 * MIB,
        gt=0,
        description="Most bytes handed to Kafka and not acknowledged; beyond it, 503.",
    )
    ingest_in_flight_events_max: int = Field(
        default=200_000,
        gt=0,
        description="Most events handed to Kafka and not acknowledged; beyond it, 503.",
    )
    ingest_delivery_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait for Kafka's acknowledgement; then 503."
    )
    ingest_linger_ms: float = Field(
        default=5.0, ge=0, description="How long a Kafka batch waits to fill."
    )
    ingest_compression: Literal["lz4", "zstd", "gzip", "snappy", "none"] = Field(
        default="lz4", description="Compression of Kafka batches."
    )
    ingest_shutdown_timeout_seconds: float = Field(
        default=20.0, gt=0, description="Longest time to finish requests and flush when stopped."
    )
