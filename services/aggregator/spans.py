"""What spans of flushes and recoveries say: partitions, offsets and counts; no tenant, no id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.aggregator.core.partition import PartitionState, Snapshot
from services.platform.kafka_log import Log
from services.platform.tracing import Attributes


def about_flush(log: Log, snapshots: Sequence[Snapshot]) -> Attributes:
    """Which partitions up to which offsets, and how many rows; lists are in the same order."""
    return {
        "messaging.destination.name": log.topic,
        "wattoken.partitions": [taken.partition for taken in snapshots],
        "wattoken.offsets.written": [taken.written_offset for taken in snapshots],
        "wattoken.offsets.next": [taken.checkpoint.next_offset for taken in snapshots],
        "wattoken.rows": sum(taken.row_count for taken in snapshots),
        "wattoken.dead_letters": sum(len(taken.dead_letters) for taken in snapshots),
    }


def about_recovery(log: Log, partitions: Sequence[int]) -> Attributes:
    """Which partitions are to be recovered."""
    return {"messaging.destination.name": log.topic, "wattoken.partitions": list(partitions)}


def about_recovered(states: Mapping[int, PartitionState]) -> Attributes:
    """Where each stands, and from where it is read again, in the order of its partitions."""
    ordered = [states[number] for number in sorted(states)]
    return {
        "wattoken.partitions": sorted(states),
        "wattoken.offsets.written": [state.checkpoint.next_offset for state in ordered],
        "wattoken.offsets.next": [state.next_offset for state in ordered],
        "wattoken.slices": sum(len(state.slices) for state in ordered),
    }
