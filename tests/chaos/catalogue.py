"""PURE: every kind of fault: whom it may hit, in which ways, for how long, and what it excludes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Family = Literal["process", "network", "disk", "clock", "database", "log"]

WORKERS: Final = ("worker-1", "worker-2", "worker-3")
INGESTS: Final = ("ingest-1", "ingest-2")
#: A worker that joins for a while.
GUEST: Final = "guest"
EXPORTER: Final = "exporter"
BROKER: Final = "kafka"
CLICKHOUSE: Final = "clickhouse"
#: The worker that decodes in a process of its own.
DECODING_WORKER: Final = WORKERS[0]

WORKER_CLICKHOUSE: Final = tuple(f"{worker}>clickhouse" for worker in WORKERS)
WORKER_KAFKA: Final = tuple(f"{worker}>kafka" for worker in WORKERS)
INGEST_KAFKA: Final = tuple(f"{ingest}>kafka" for ingest in INGESTS)
LINKS: Final = (*WORKER_CLICKHOUSE, *WORKER_KAFKA, *INGEST_KAFKA)

#: Where an insert may be caught: before it is passed on, half-way, or with its answer on the way.
IN_INSERT: Final = (
    "before slices_register",
    "middle slices_minute",
    "after slices_minute",
    "after slices_hour",
    "before checkpoints",
    "after checkpoints",
)
#: Targets of one kind that stand for several actors.
ALL_WORKERS: Final = "workers"
#: What an operator must have to himself while a backup is restored or logs are changed.
THE_METER: Final = frozenset(
    {*WORKERS, GUEST, BROKER, CLICKHOUSE, "ids", "broker clock", *WORKER_CLICKHOUSE, *WORKER_KAFKA}
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. ``seconds`` bounds how long it lasts, ``weight`` says how often it comes.

    ``choices`` are the ways it may go. Two faults whose `touched` sets meet never overlap.
    """

    name: str
    family: Family
    targets: tuple[str, ...]
    seconds: tuple[float, float]
    weight: int = 1
    choices: tuple[str, ...] = ("",)
    excludes: frozenset[str] = frozenset()

    def touched(self, target: str) -> frozenset[str]:
        """What a fault of this kind on that target needs to itself."""
        own = WORKERS if target == ALL_WORKERS else (target,)
        return self.excludes | frozenset(own)


KINDS: Final = (
    # Processes. How long they stay down or stopped; a session of a worker ends after 6 s.
    Kind("kill_worker", "process", WORKERS, (0.2, 4.0), 3),
    Kind("kill_worker_in_insert", "process", WORKERS, (1.0, 5.0), 4, IN_INSERT),
    Kind("kill_all_workers", "process", (ALL_WORKERS,), (0.5, 4.0)),
    Kind("stop_worker", "process", WORKERS, (0.2, 5.0), 2),
    Kind("pause_worker", "process", WORKERS, (8.0, 11.0), 3, ("anywhere", *IN_INSERT)),
    Kind("kill_decoder", "process", (DECODING_WORKER,), (0.5, 1.0)),
    Kind("join_and_leave", "process", (GUEST,), (6.0, 12.0), 2, ("stop", "kill")),
    Kind("damage_ids", "process", WORKERS, (0.5, 2.0), 2, ("garbage", "cut", "delete")),
    Kind("kill_ingest", "process", INGESTS, (0.5, 4.0), 2, ("anywhere", "after acknowledgement")),
    Kind("stop_ingest", "process", INGESTS, (0.5, 4.0)),
    Kind("pause_ingest", "process", INGESTS, (2.0, 8.0)),
    Kind("kill_exporter", "process", (EXPORTER,), (0.5, 3.0)),
    Kind("kill_broker", "process", (BROKER,), (0.1, 3.0), 2),
    Kind("stop_broker", "process", (BROKER,), (0.1, 2.0)),
    Kind("pause_broker", "process", (BROKER,), (3.0, 9.0)),
    Kind("kill_clickhouse", "process", (CLICKHOUSE,), (0.1, 4.0), 2, ("anywhere", "in insert")),
    Kind("pause_clickhouse", "process", (CLICKHOUSE,), (3.0, 9.0)),
    # The network, each link by itself.
    Kind("refuse", "network", LINKS, (2.0, 8.0), 3),
    Kind("reset", "network", LINKS, (2.0, 6.0), 3),
    Kind("half_open", "network", LINKS, (4.0, 10.0), 3, ("resume", "reset")),
    Kind("slow", "network", LINKS, (4.0, 9.0), 3),
    Kind("answer_lost", "network", (*WORKER_CLICKHOUSE, *INGEST_KAFKA), (1.0, 5.0), 4),
    # Disks.
    Kind("disk_full_kafka", "disk", (BROKER,), (2.0, 6.0)),
    Kind("disk_full_clickhouse", "disk", (CLICKHOUSE,), (2.0, 7.0)),
    Kind("disk_full_ids", "disk", ("ids",), (3.0, 8.0), 2),
    # Clocks.
    Kind("worker_clock", "clock", WORKERS, (2.0, 8.0), 1, ("+1d", "-1d")),
    Kind("broker_clock", "clock", ("broker clock",), (2.0, 6.0), 1, ("+1d", "-1d")),
    # The database refuses, or goes back in time.
    Kind(
        *("refuse_inserts", "database", (CLICKHOUSE,), (2.0, 6.0), 2),
        ("too many parts slices_minute", "readonly checkpoints", "readonly slices_hour"),
    ),
    Kind("restore", "database", (CLICKHOUSE,), (0.5, 2.0), 1, excludes=THE_METER),
    Kind("restore_running", "database", (CLICKHOUSE,), (3.0, 6.0), 1, excludes=THE_METER),
    # The log.
    Kind("open_transaction", "log", ("transactions",), (6.0, 25.0), 1, ("commit", "abort")),
    Kind("succession", "log", (BROKER,), (0.5, 1.0), 1, excludes=THE_METER),
)
KIND_BY_NAME: Final = {kind.name: kind for kind in KINDS}
FAMILIES: Final = tuple(dict.fromkeys(kind.family for kind in KINDS))
