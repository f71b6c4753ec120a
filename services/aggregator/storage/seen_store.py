"""The store of ids that do not fit into memory, and what becomes of them when the disk fails.

Losing the store costs time and memory, never an answer and never the worker:

- It cannot be opened, is damaged, or of no use: it is thrown away, and ids are read from the log.
- No place can be had at all (a folder that cannot be written, too many processes): ids stay in
  memory, and after a rest the next move tries again.
- A write fails (a full disk): what was moved before stays and is asked; the rest stays in memory,
  and after a rest the next move tries again.
- A read fails: what the store knew is unknown now, so it is thrown away and from then on says
  `IdsUnreadableError`; the partition is recovered without it. The disk has a rest, and a longer one
  each time: all ids have to be read from the log again.
- The folder was deleted, or is another by now: the same, but at once with a new one.

Each is a warning in the log and counted (`metrics.ID_STORE_FAULTS`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rocksdict import Cache

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import LONG_AGO, IdsUnreadableError, Settled, Sightings
from services.aggregator.metrics import ID_STORE_FAULTS, ID_STORES_REFUSING
from services.aggregator.storage.seen_place import Place
from services.aggregator.storage.store_files import PlaceGoneFault, PlaceTakenError, StoreFault
from services.platform.log import get_logger

logger = get_logger(__name__)

#: The time for which ids matter is this many buckets long, so at most one more is alive.
BUCKETS: Final = 4
#: Other names tried for a place that another process, a paused predecessor say, still has locked.
SPARE_PLACES: Final = 8
#: How long a disk is left alone after it refused to take ids: trying costs little.
WRITE_REST_SECONDS: Final = 60.0
#: How long after it lost ids: as long at first, and so many times longer each time within a day.
READ_REST_FACTOR: Final = 4
READ_REST_SECONDS_MAX: Final = 3600.0
DAY_SECONDS: Final = 86_400.0


class ClosedStoreError(RuntimeError):
    """A store was used after it was closed: a mistake of ours, never a fault of the disk."""


class SeenStore:
    """The ids of one partition that no longer fit into memory. Synchronous; `OlderIds`."""

    def __init__(self, stores: SeenStores, partition: int, sharing: Sharing) -> None:
        self._stores = stores
        self._partition = partition
        self._sharing = sharing
        self._place: Place | None = None
        self._closed = False
        self._unreadable = ""

    def open(self, settled: Settled) -> None:
        """Take over what is on disk if it is of this log and of use at the checkpoint."""
        if self._stores.resting(self._partition):
            self._stores.refused(self._partition)
        else:
            self._place = self._stores.place(self._partition, self._sharing, settled)

    @property
    def complete_before_ms(self) -> int:
        """The last sighting below the checkpoint of every id is here if it was before this."""
        return LONG_AGO if self._place is None else self._place.stamp.complete_before_ms

    @property
    def complete_below(self) -> Cut:
        """The same by offset: all below it are here. `Cut()` where none is known."""
        return Cut() if self._place is None else self._place.stamp.complete_below

    @property
    def empty(self) -> bool:
        """Whether no id at all is here, so that there is nothing to ask."""
        return not self._unreadable and (self._place is None or self._place.empty)

    @property
    def lost(self) -> bool:
        """Whether ids that were here cannot be read any more."""
        return bool(self._unreadable)

    def last_seen(self, ids: Words) -> Ints:
        """When each of these ids was last seen, in log time; -1 for those that are not here.

        Raises `IdsUnreadableError` where that cannot be said any more.
        """
        self._check_open()
        if self._unreadable or self._place is None:
            raise IdsUnreadableError(self._unreadable or "no ids are on disk")
        try:
            return self._place.last_seen(ids)
        except StoreFault as fault:
            self._stores.rest_after_loss(self._partition)
            self._lose(fault)
            raise IdsUnreadableError(str(fault)) from None

    def _lose(self, fault: StoreFault) -> None:
        """Throw the place away: a part of it cannot be read, so all of it says too little."""
        ID_STORE_FAULTS.labels("read").inc()
        logger.warning("ids on disk cannot be read", partition=self._partition, error=str(fault))
        self._unreadable = str(fault)
        place, self._place = self._place, None
        if place is not None:
            self._stores.discard(place)

    def keep(self, sightings: Sightings) -> bool:
        """Take over sightings durably; False where they have to stay in memory for now."""
        self._check_open()
        if self._unreadable or self._stores.resting(self._partition):
            return False
        if self._place is None:
            self._place = self._stores.place(self._partition, self._sharing, None)
            if self._place is None:
                return False
        try:
            self._place.keep(sightings)
        except PlaceGoneFault as fault:
            self._leave(fault)
            return False
        except StoreFault as fault:
            ID_STORE_FAULTS.labels("write").inc()
            logger.warning(
                "ids cannot be moved to disk and stay in memory",
                partition=self._partition,
                again_in_seconds=WRITE_REST_SECONDS,
                error=str(fault),
            )
            self._stores.rest(self._partition, WRITE_REST_SECONDS)
            return False
        self._stores.well(self._partition)
        return True

    def _leave(self, fault: PlaceGoneFault) -> None:
        """Give up a place that is gone, if another can be had; else go on asking what is open."""
        another = self._stores.place(self._partition, self._sharing, None)
        if another is not None:
            another.close()
            self._lose(fault)

    def forget(self, past_ms: int) -> None:
        """Delete what was last seen at or before a log time, in whole buckets."""
        self._check_open()
        if self._place is None:
            return
        try:
            self._place.forget(past_ms)
        except StoreFault as fault:
            # What is left of it is deleted when the place is opened the next time.
            ID_STORE_FAULTS.labels("forget").inc()
            logger.warning("old ids stay on disk", partition=self._partition, error=str(fault))

    def close(self) -> None:
        """Close all databases and let others use the place. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        place, self._place = self._place, None
        if place is not None:
            place.close()
        self._stores.gone(self._partition)

    def _check_open(self) -> None:
        """Raise `ClosedStoreError` once closed: the place may have another owner by now."""
        if self._closed:
            raise ClosedStoreError(f"the ids of partition {self._partition} were given away")


class Sharing:
    """How a partition's ids are cut into buckets, and how much memory each has for its filter."""

    __slots__ = ("bucket_ms", "filter_bytes")

    def __init__(self, keep_ms: int, filter_bytes: int, partitions: int) -> None:
        self.bucket_ms = -(-keep_ms // BUCKETS)
        self.filter_bytes = filter_bytes // (partitions * (BUCKETS + 1))


class SeenStores:
    """The stores of a worker's partitions, under one folder and with one memory budget.

    ``clock`` gives seconds that never fall.
    """

    def __init__(
        self,
        folder: Path,
        log: str,
        filter_bytes: int,
        cache_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder / log.replace("/", "_")
        self._log = log
        self._filter_bytes = filter_bytes
        self._cache = Cache(cache_bytes)
        self._clock = clock
        #: Until when the disk is left alone, by partition; also those given away meanwhile.
        self._rests: dict[int, float] = {}
        self._refused: set[int] = set()
        #: When ids were lost, by partition.
        self._losses: dict[int, list[float]] = {}
        #: Places that could not be emptied: what is in them must not be used.
        self._spoilt: set[Path] = set()

    def open(self, partition: int, settled: Settled, partitions: int) -> SeenStore:
        """Open a partition's store, on disk if it can be; ``partitions`` share the memory."""
        sharing = Sharing(settled.keep_ms, self._filter_bytes, partitions)
        store = SeenStore(self, partition, sharing)
        store.open(settled)
        return store

    def place(self, partition: int, sharing: Sharing, settled: Settled | None) -> Place | None:
        """Open the first place that can be had, again without a checkpoint; None if there is none.

        Then the disk has a rest.
        """
        reason = f"{SPARE_PLACES} processes use the folder {self._folder}: stop those not needed"
        for spare in range(SPARE_PLACES):
            path = self._folder / (f"partition-{partition}" + (f"-{spare}" if spare else ""))
            if path in self._spoilt:
                continue
            try:
                place = Place(path, self._log, sharing.bucket_ms, self._cache, sharing.filter_bytes)
                place.open(settled)
            except PlaceTakenError:
                logger.warning("ids on disk are in use, trying another place", place=path.name)
                continue
            except StoreFault as fault:
                reason = str(fault)
                continue
            self.well(partition)
            return place
        ID_STORE_FAULTS.labels("open").inc()
        logger.warning(
            "ids cannot be kept on disk and stay in memory",
            partition=partition,
            again_in_seconds=WRITE_REST_SECONDS,
            error=reason,
        )
        self.rest(partition, WRITE_REST_SECONDS)
        return None

    def discard(self, place: Place) -> None:
        """Close a place whose content must not be used again, by anybody."""
        try:
            place.discard()
        except StoreFault as fault:
            logger.warning("damaged ids stay on disk", path=str(place.path), error=str(fault))
            self._spoilt.add(place.path)

    def resting(self, partition: int) -> bool:
        """Whether the disk is left alone for a partition's sake."""
        return self._clock() < self._rests.get(partition, 0.0)

    def rest(self, partition: int, seconds: float) -> None:
        """Leave the disk alone for a while."""
        self._rests[partition] = self._clock() + seconds
        self.refused(partition)

    def rest_after_loss(self, partition: int) -> None:
        """Leave the disk alone for longer the more often it lost ids within a day."""
        now = self._clock()
        before = [at for at in self._losses.get(partition, []) if now - at < DAY_SECONDS]
        self._losses[partition] = [*before, now]
        seconds = WRITE_REST_SECONDS * READ_REST_FACTOR ** len(before)
        self.rest(partition, min(seconds, READ_REST_SECONDS_MAX))

    def refused(self, partition: int) -> None:
        """Note that a partition's ids have to stay in memory."""
        self._refused.add(partition)
        ID_STORES_REFUSING.set(len(self._refused))

    def well(self, partition: int) -> None:
        """Note that the disk does what it should."""
        self._rests.pop(partition, None)
        self.gone(partition)

    def gone(self, partition: int) -> None:
        """Note that a partition is not ours any more, or takes ids again."""
        self._refused.discard(partition)
        ID_STORES_REFUSING.set(len(self._refused))
