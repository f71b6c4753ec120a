"""`wattoken aggregator` that for some seconds, its first argument, sees no topic in metadata.

So may one that asks a broker which has just started, and it then assigns nothing to anybody.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from aiokafka.cluster import ClusterMetadata

from services import cli

partitions_for_topic = ClusterMetadata.partitions_for_topic
until = time.monotonic() + float(sys.argv.pop(1))


def seen_late(self: ClusterMetadata, topic: str) -> Any:
    """Know of no topic at first."""
    return None if time.monotonic() < until else partitions_for_topic(self, topic)


ClusterMetadata.partitions_for_topic = seen_late
cli.main()
