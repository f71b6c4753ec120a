"""`wattoken aggregator` that sees no topic in metadata until it has led its group once, and on.

So may one that asks a broker which has just started, and it then assigns nothing to anybody.
"""

from __future__ import annotations

import time
from typing import Any

from aiokafka.cluster import ClusterMetadata
from faust.assignor.partition_assignor import PartitionAssignor

from services import cli

#: Until after the coordinator took note of what was assigned from.
BLIND_FOR_SECONDS = 3.0

partitions_for_topic = ClusterMetadata.partitions_for_topic
assign = PartitionAssignor.assign
assigned_at: list[float] = []


def seen_late(self: ClusterMetadata, topic: str) -> Any:
    """Know of no topic at first."""
    seen = bool(assigned_at) and time.monotonic() > assigned_at[0] + BLIND_FOR_SECONDS
    return partitions_for_topic(self, topic) if seen else None


def noted(self: PartitionAssignor, *arguments: Any) -> Any:
    """Assign, and note when that was."""
    assigned_at.append(time.monotonic())
    return assign(self, *arguments)


ClusterMetadata.partitions_for_topic = seen_late
PartitionAssignor.assign = noted
cli.main()
