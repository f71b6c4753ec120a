"""PURE: what tells a Kafka batch from any other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchMark:
    """Where a batch lies on the log, its CRC-32C, the epoch of the leader that appended it.

    The checksum covers keys, values and append times. The epoch is -1 where it is not known.
    Batches are appended without gaps: one with gaps was compacted, which changes its checksum.
    """

    base_offset: int
    next_offset: int
    crc: int
    leader_epoch: int = -1
    compacted: bool = False

    def is_same(self, other: BatchMark) -> bool:
        """Whether it is that batch; the epoch says nothing about that."""
        mine = (self.base_offset, self.next_offset, self.crc)
        return mine == (other.base_offset, other.next_offset, other.crc)
