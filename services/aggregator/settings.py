"""Settings of the aggregator."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.platform.settings import ClickHouseSettings, KafkaSettings, TraceSettings


class AggregatorSettings(KafkaSettings, ClickHouseSettings, TraceSettings):
    """Everything the aggregator reads from its environment."""

    aggregator_host: str = Field(
        default="127.0.0.1", description="Address of /healthz, /readyz and /metrics."
    )
    aggregator_port: int = Field(default=8081, description="Port of the same.")
    aggregator_group: str = Field(
        default="wattoken-aggregator", description="Kafka consumer group that shares the work."
    )
    aggregator_instance_id: str = Field(
        default="",
        description="A name of this worker that outlives its process, such as a pod's: started"
        " again under it, the worker has its partitions back at once (static membership)."
        " Empty: Kafka waits for the session timeout of a worker that was killed.",
    )
    aggregator_flush_interval_seconds: float = Field(
        default=1.0, gt=0, description="Time between two flushes to ClickHouse."
    )
    aggregator_pending_rows_max: int = Field(
        default=500_000,
        gt=0,
        description="Unwritten rows at which reading pauses until a flush takes them; as many"
        " more may be in that flush.",
    )
    aggregator_keep_minutes_seconds: float = Field(
        default=2 * 3600, gt=0, description="How long minute slices stay in memory, in event time."
    )
    aggregator_keep_hours_seconds: float = Field(
        default=3 * 24 * 3600,
        gt=0,
        description="How long hour slices stay in memory, in event time.",
    )
    aggregator_session_timeout_seconds: float = Field(
        default=30.0, ge=6, description="Silence after which Kafka gives the partitions to others."
    )
    aggregator_decoder_processes: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Processes beside the worker's own that decode events, about 55 MB each;"
        " 0 decodes in the worker.",
    )
    aggregator_fetch_bytes_max: int = Field(
        default=4 * 1024 * 1024, gt=0, description="Most bytes of one partition in one fetch."
    )
    aggregator_state_dir: Path = Field(
        default=Path(".wattoken/aggregator"),
        description="Folder for the ids seen, about 23 bytes each. Losing it costs time, no tokens;"
        " a disk that fails is told in the log and in metrics, and stops nothing.",
    )
    aggregator_ids_in_memory_max: int = Field(
        default=4_000_000,
        gt=0,
        description="Ids kept in memory for dedup, 35 to 65 bytes each; all others take 2 bytes"
        " each. While the disk takes none, up to five times as many; then reading pauses.",
    )
    aggregator_id_copies: bool = Field(
        default=False,
        description="Whether runs of the ids seen are copied to ClickHouse, up to 45 bytes an id,"
        " and fetched from there by a worker whose disk does not have them; else it reads the log.",
    )
    aggregator_id_copies_lag_seconds: float = Field(
        default=300.0,
        gt=0,
        description="How long ids may wait to be copied: about as much of the log is read by a"
        " worker that has only copies, so the topic's retention must be longer.",
    )
    aggregator_replica_wait_seconds: float = Field(
        default=60.0,
        ge=0,
        description="How long a database that is behind Kafka's commits may take to catch up.",
    )
    aggregator_standstill_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Standstill of a partition with records to read after which the worker exits.",
    )
