"""PURE: whether what is read of a log continues what was read of it before.

Kafka never changes a batch, but a log may lose its end: by an unclean election, a power cut, a disk
put back from a backup. When it then grows past where the meter stands, nothing is missing and no
offset is skipped, yet there are other records below. Two things tell:

- Each batch bears the epoch of the leader that appended it, and a log loses its end only together
  with its leader. So while epochs stay the same, reading goes on.
- Of another epoch, or after a recovery, the batch that ended where reading stands is read once
  more. It is the same if its checksum is, which covers values, keys and append times. A log that
  has it has all that came before it, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.aggregator.decoding.batch_mark import BatchMark


class RecordsReplacedError(Exception):
    """Below an offset the log has other records than were read there; `offset` says which."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the log has other records below offset {offset} than were read there")
        self.offset = offset


class Continuity:
    """Of one partition: the last batch read, and whether it is still to be compared."""

    def __init__(self, last: BatchMark | None = None) -> None:
        """Begin behind a batch, which has to be met again; with None, behind one not known."""
        self._last = last
        #: To be met before anything behind it is metered.
        self._awaited = last
        self._epoch = None if last is None else last.leader_epoch
        #: An epoch that made the last batch doubtful, and is believed with it.
        self._doubted: int | None = None

    @property
    def awaited(self) -> BatchMark | None:
        """The batch that has to be met before what is behind it is metered; None mostly."""
        return self._awaited

    @property
    def in_doubt(self) -> bool:
        """Whether another leader made the last batch doubtful while reading went on."""
        return self._doubted is not None

    def believe(self, log_start: int) -> None:
        """Give up the last batch if the log begins behind it: there is nothing to be compared."""
        if self._awaited is not None and log_start >= self._awaited.next_offset:
            self._epoch, self._awaited, self._doubted = self._doubted, None, None

    def last(self, next_offset: int) -> BatchMark | None:
        """The batch that ends at an offset, if it was the last that was read."""
        last = self._last
        return last if last is not None and last.next_offset == next_offset else None

    def continues(self, first_offset: int, batches: Sequence[BatchMark]) -> bool:
        """Whether batches, which one fetch brought from an offset on, may be metered.

        False where the last batch has to be read once more before: from one offset below its end.
        Raises `RecordsReplacedError` where another is in its place.
        """
        if self._awaited is not None:
            return self._met(self._awaited, first_offset, batches)
        last = self._last
        if last is None:
            return True
        fresh = next((one for one in batches if one.next_offset > last.next_offset), None)
        if fresh is None or fresh.leader_epoch == self._epoch:
            return True
        self._awaited, self._doubted = last, fresh.leader_epoch
        return False

    def _met(self, awaited: BatchMark, first_offset: int, batches: Sequence[BatchMark]) -> bool:
        if first_offset >= awaited.next_offset:
            return False
        found = next((one for one in batches if one.next_offset >= awaited.next_offset), None)
        if found is None:
            return True
        # What was appended has no gaps; where compaction made some there is nothing to compare.
        gone = found.compacted or found.base_offset >= awaited.next_offset
        if not gone and not found.is_same(awaited):
            raise RecordsReplacedError(awaited.next_offset)
        self._epoch = found.leader_epoch if self._doubted is None else self._doubted
        self._awaited = self._doubted = None
        return True

    def read(self, next_offset: int, batches: Sequence[BatchMark]) -> None:
        """Note that everything below an offset was read; the last of it in these batches."""
        if self._last is not None and next_offset <= self._last.next_offset:
            return
        self._last = batches[-1] if batches and batches[-1].next_offset == next_offset else None
        self._epoch = None if self._last is None else self._last.leader_epoch
