"""The store of ids that do not fit into memory, and what becomes of them when the disk fails.

Losing ids on disk costs time and memory, never an answer and never the worker:

- A run is damaged or missing when a place is opened: it and all behind it are read from the log.
- No place can be had at all (a folder that cannot be written, too many processes): ids stay in
  memory, and after a rest the next flush tries again.
- A write fails (a full disk): what was written before stays and is asked; the rest stays in memory,
  and after a rest the next flush tries again.
- A read fails: what the run knew is unknown now, so it is deleted, and from then on the store says
  `IdsUnreadableError`; the partition is recovered without it. From the second time within a day on
  the disk has a rest, and a longer one each time: ids have to be read from the log again.
- The folder was deleted, or is another by now: the same, but at once with a new one.
- A merge fails: the runs stay as they are.

Each is a warning in the log and counted (`metrics.ID_STORE_FAULTS`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import IdsUnreadableError, Sightings
from services.aggregator.core.run_copies import Copied, best, to_copy
from services.aggregator.core.runs import Settled
from services.aggregator.metrics import ID_STORE_FAULTS, ID_STORES_REFUSING
from services.aggregator.storage.run_file import RunFault, RunFile
from services.aggregator.storage.seen_place import Copies, Place, ids_to_fetch, not_on_log
from services.aggregator.storage.store_files import PlaceGoneFault, PlaceTakenError, StoreFault
from services.platform.errors import UnavailableError
from services.platform.log import get_logger

logger = get_logger(__name__)

#: Other names tried for a place that another process, a paused predecessor say, still has locked.
SPARE_PLACES: Final = 8
#: How long a disk is left alone after it refused to take ids: trying costs little.
WRITE_REST_SECONDS: Final = 60.0
#: How long after it lost ids again: as long at first, and so many times longer each time within a
#: day.
READ_REST_FACTOR: Final = 4
READ_REST_SECONDS_MAX: Final = 3600.0
DAY_SECONDS: Final = 86_400.0


class ClosedStoreError(RuntimeError):
    """A store was asked after it was closed: a mistake of ours, never a fault of the disk."""


class SeenStore:
    """The ids of one partition that are not in memory any more. Synchronous; `OlderIds`."""

    def __init__(self, stores: SeenStores, partition: int) -> None:
        self._stores = stores
        self._partition = partition
        self._place: Place | None = None
        self._closed = False
        #: Held while it is closed, or gets another place.
        self._lock = threading.Lock()
        self._unreadable = ""
        self._merges_again_at = 0.0

    def open(self, settled: Settled, start: int, copies: Copies | None) -> None:
        """Take over the runs on disk that are of this log and of use at the checkpoint.

        ``start`` is the first offset that can be read. Runs that are missing are fetched as copies.
        Raises what those raise, and `UnavailableError` where no disk takes what they alone have.
        """
        if self._stores.resting(self._partition):
            self._stores.refused(self._partition)
        else:
            self._place = self._stores.place(self._partition, settled, start, copies)
        if self._place is None and copies is not None:
            wanted = best(copies.listed(), settled, start, ids_to_fetch)
            if not_on_log(wanted, start):
                raise UnavailableError(
                    f"ids of partition {self._partition} that the log does not have any more are"
                    " only in copies, and the disk takes none"
                )

    @property
    def end(self) -> Cut | None:
        """Where the newest run ends; None where there is none, or they are lost."""
        place = self._place
        return None if place is None else place.end

    @property
    def closed(self) -> bool:
        """Whether it was given away."""
        return self._closed

    @property
    def lost(self) -> bool:
        """Whether ids that were here cannot be read any more."""
        return bool(self._unreadable)

    def last_seen(self, ids: Words, below: int) -> Ints:
        """When each of these ids was last seen, by the runs that begin below an offset.

        In log time; -1 for those that are in none. Raises `IdsUnreadableError` where that cannot be
        said any more.
        """
        if self._closed:
            raise ClosedStoreError(f"the ids of partition {self._partition} were given away")
        place = self._place
        if self._unreadable:
            raise IdsUnreadableError(self._unreadable)
        if place is None:
            return np.full(len(ids), -1)
        try:
            return place.last_seen(ids, below)
        except RunFault as fault:
            self._lose(fault, fault.path)
            raise IdsUnreadableError(str(fault)) from None

    def _lose(self, fault: StoreFault, run: Path | None) -> None:
        """Delete a run that cannot be read, and give the place up: too little is known now."""
        ID_STORE_FAULTS.labels("read").inc()
        logger.warning("ids on disk cannot be read", partition=self._partition, error=str(fault))
        with self._lock:
            self._unreadable = str(fault)
            place, self._place = self._place, None
        if place is None:
            return
        if run is None:
            place.close()
        else:
            self._stores.rest_after_loss(self._partition)
            self._stores.discard(place, run)

    def keep(self, sightings: Sightings) -> bool:
        """Write a run; False where that cannot be done now: then they have to stay in memory."""
        if self._closed or self._unreadable or self._stores.resting(self._partition):
            return False
        place = self._place or self._another_place()
        if place is None:
            return False
        try:
            kept = place.keep(sightings)
        except PlaceGoneFault as fault:
            self._leave(fault)
            return False
        except StoreFault as fault:
            ID_STORE_FAULTS.labels("write").inc()
            logger.warning(
                "ids cannot be written to disk and stay in memory",
                partition=self._partition,
                again_in_seconds=WRITE_REST_SECONDS,
                error=str(fault),
            )
            self._stores.rest(self._partition, WRITE_REST_SECONDS)
            return False
        if kept:
            self._stores.well(self._partition)
        return kept

    def _another_place(self) -> Place | None:
        """Take a place anew, with nothing in it."""
        place = self._stores.place(self._partition, None, 0)
        with self._lock:
            if place is not None and not self._closed:
                self._place = place
                return place
        if place is not None:
            place.close()
        return None

    def _leave(self, fault: PlaceGoneFault) -> None:
        """Give up a place that is gone, if another can be had; else go on asking what is open."""
        another = self._stores.place(self._partition, None, 0)
        if another is not None:
            another.close()
            self._lose(fault, None)

    def tidy(self, settled: Settled) -> bool:
        """Delete the runs that are past at a checkpoint, and merge some; say whether to go on."""
        place = self._place
        if place is None or self._stores.now() < self._merges_again_at:
            return False
        try:
            return place.tidy(settled)
        except RunFault as fault:
            self._lose(fault, fault.path)
        except StoreFault as fault:
            # What is left over is deleted when the place is opened the next time.
            ID_STORE_FAULTS.labels("tidy").inc()
            logger.warning(
                "runs of ids stay as they are", partition=self._partition, error=str(fault)
            )
            self._merges_again_at = self._stores.now() + WRITE_REST_SECONDS
        return False

    def copy(
        self,
        copies: Sequence[Copied],
        settled: Settled,
        until_ms: int,
        write: Callable[[RunFile, Callable[[], bool]], Copied | None],
    ) -> Copied | None:
        """Copy the run that is due; None where none is, or it was not copied.

        ``write`` is handed the run and whether that was given up, and raises what it does.
        """
        place = self._place
        run = None if place is None else to_copy(place.runs, copies, settled, until_ms)
        if run is None:
            return None
        try:
            return write(run, lambda: self.closed)
        except RunFault as fault:
            self._lose(fault, fault.path)
        return None

    def close(self) -> None:
        """Let others use the place. Closing again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            place, self._place = self._place, None
        if place is not None:
            place.close()
        self._stores.gone(self._partition)


class SeenStores:
    """The stores of a worker's partitions, under one folder.

    ``clock`` gives seconds that never fall.
    """

    def __init__(self, folder: Path, log: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder / log.replace("/", "_")
        self._log = log
        self.now = clock
        #: Until when the disk is left alone, by partition; also those given away meanwhile.
        self._rests: dict[int, float] = {}
        self._refused: set[int] = set()
        self._opened: dict[int, SeenStore] = {}
        #: When ids were lost, by partition.
        self._losses: dict[int, list[float]] = {}
        #: Places with damaged files that could not be deleted: they must not be used.
        self._spoilt: set[Path] = set()

    def open(
        self, partition: int, settled: Settled, start: int, copies: Copies | None = None
    ) -> SeenStore:
        """Open a partition's store, on disk if it can be; ``start``: what can be read begins."""
        store = SeenStore(self, partition)
        store.open(settled, start, copies)
        self._opened[partition] = store
        return store

    def opened(self, partition: int) -> SeenStore | None:
        """The store of a partition that was opened last, if it is open yet."""
        store = self._opened.get(partition)
        return None if store is None or store.closed else store

    def place(
        self,
        partition: int,
        settled: Settled | None,
        start: int,
        copies: Copies | None = None,
    ) -> Place | None:
        """Open the first place that can be had, empty without a checkpoint; None if there is none.

        Then the disk has a rest.
        """
        reason = f"{SPARE_PLACES} processes use the folder {self._folder}: stop those not needed"
        for spare in range(SPARE_PLACES):
            path = self._folder / (f"partition-{partition}" + (f"-{spare}" if spare else ""))
            if path in self._spoilt:
                continue
            try:
                place = Place(path, self._log, partition)
                place.open(settled, start, copies)
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

    def discard(self, place: Place, run: Path) -> None:
        """Close a place, and have nobody read one of its runs again."""
        try:
            place.discard(run)
        except StoreFault as fault:
            logger.warning("damaged ids stay on disk", path=str(place.path), error=str(fault))
            self._spoilt.add(place.path)

    def resting(self, partition: int) -> bool:
        """Whether the disk is left alone for a partition's sake."""
        return self.now() < self._rests.get(partition, 0.0)

    def rest(self, partition: int, seconds: float) -> None:
        """Leave the disk alone for a while."""
        self._rests[partition] = self.now() + seconds
        self.refused(partition)

    def rest_after_loss(self, partition: int) -> None:
        """Leave the disk alone for longer the more often it lost ids within a day.

        Not at the first time: what joins before the lost run is still there.
        """
        now = self.now()
        before = [at for at in self._losses.get(partition, []) if now - at < DAY_SECONDS]
        self._losses[partition] = [*before, now]
        if before:
            seconds = WRITE_REST_SECONDS * READ_REST_FACTOR ** (len(before) - 1)
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
