"""One place of ids on disk: a folder that this process has locked, and the runs in it.

A run is a file that never changes, named by its range of offsets. Nothing else says what is here:
of the runs that join from where ids begin to matter all is known, whatever cut the writing of
others short (`core.runs.usable`). Each step keeps that so:

- A run has its name only once it is whole.
- A merged run is on disk, name and all, before those that it was made of are deleted; until they
  are, it is the larger that counts.
- What a flush wrote is not forced onto the disk. A machine that loses its power may lose it, or
  half of it, which is noticed; it is on the log.

Every call but `close` may raise `StoreFault`; after one of `open` the place is closed. One thread
asks, and may close; one other writes, and one more tidies up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from secrets import randbits
from typing import Final, Protocol

import numpy as np

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.id_filter import masks_of
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.sorted_ids import in_order
from services.aggregator.core.dedup import Sightings
from services.aggregator.core.run_copies import Copied, best, complete
from services.aggregator.core.runs import Settled, Stretch, to_merge, usable
from services.aggregator.metrics import ID_STORE_FAULTS
from services.aggregator.storage import store_files
from services.aggregator.storage.copy_pieces import DamagedCopyError
from services.aggregator.storage.run_file import PREFIX, RunFault, RunFile, RunWriter, name_of
from services.aggregator.storage.run_format import Described, time_bytes_for
from services.aggregator.storage.run_merge import merged, merged_stretch
from services.aggregator.storage.store_files import PlaceGoneFault, StoreFault, faults_of
from services.platform.errors import UnavailableError
from services.platform.log import get_logger

logger = get_logger(__name__)

TOKEN_BITS: Final = 64
#: What is being written, until it has its name.
UNFINISHED: Final = ".new"


class Copies(Protocol):
    """Copies of a partition's runs. Both raise `UnavailableError` and `AbandonedError`."""

    def listed(self) -> Sequence[Copied]:
        """All that are whole."""

    def pieces(self, copied: Copied) -> Iterator[bytes]:
        """The bytes of one. Raises `DamagedCopyError`."""


def ids_to_fetch(run: RunFile | Copied) -> int:
    """How many ids have to be fetched before a run can be asked."""
    return run.stretch.count if isinstance(run, Copied) else 0


def not_on_log(runs: Iterable[RunFile | Copied], start: int) -> bool:
    """Whether there are copies among these runs that the log cannot stand for."""
    return any(isinstance(run, Copied) and run.stretch.begin.offset < start for run in runs)


class Place:
    """A folder of runs."""

    def __init__(self, path: Path, log: str, partition: int) -> None:
        """Lock the folder; raises `PlaceTakenError` when another process has it."""
        self.path = path
        self._log = log
        self._partition = partition
        #: In the order of the log, none of them overlapping; replaced as a whole, never changed.
        self.runs: tuple[RunFile, ...] = ()
        #: Where the newest of them ends, also when it is past by now; None before there was one.
        self.end: Cut | None = None
        #: Held while the runs change, or the place is closed.
        self._lock = threading.Lock()
        with faults_of(f"open {path}"):
            self._claim: int | None = store_files.claim(path)

    def open(self, settled: Settled | None, start: int, copies: Copies | None = None) -> None:
        """Take over the runs that are of use at a checkpoint; with None, none. Delete all others.

        ``start`` is the first offset that can be read. Where runs are missing, copies are fetched.
        Raises what ``copies`` raises, and `UnavailableError` where the disk does not take a copy of
        what the log does not have any more.
        """
        try:
            self.runs = tuple(self._found(settled, start, copies)) if settled is not None else ()
            self.end = self.runs[-1].stretch.end if self.runs else None
            self._delete_others()
        except BaseException:
            self.close()
            raise

    def _found(self, settled: Settled, start: int, copies: Copies | None) -> list[RunFile]:
        with faults_of(f"look through {self.path}"):
            paths = sorted(self.path.glob(f"{PREFIX}_*"))
        here = [run for path in paths if (run := self._opened(path))]
        found = usable(here, settled, start)
        if copies is None or complete(found, settled):
            return found
        return self._with_copies(here, copies, settled, start)

    def _with_copies(
        self, here: list[RunFile], copies: Copies, settled: Settled, start: int
    ) -> list[RunFile]:
        """What is of use of the runs here and of copies, which are fetched."""
        listed = list(copies.listed())
        while True:
            # Of one that is both here and a copy, the one here is used.
            wanted: list[RunFile | Copied] = best([*here, *listed], settled, start, ids_to_fetch)
            missing = [one for one in wanted if isinstance(one, Copied)]
            if not missing:
                return [one for one in wanted if isinstance(one, RunFile)]
            for copied in missing:
                listed.remove(copied)
                try:
                    here.append(self._fetched(copied, copies))
                except DamagedCopyError as fault:
                    ID_STORE_FAULTS.labels("fetch").inc()
                    logger.warning(
                        "a copy of ids is damaged", path=str(self.path), error=str(fault)
                    )
                    break
                except StoreFault as fault:
                    ID_STORE_FAULTS.labels("write").inc()
                    if not_on_log(missing, start):
                        raise UnavailableError(
                            "ids that the log does not have any more are only in copies, and"
                            f" {fault}"
                        ) from fault
                    logger.warning(
                        "the disk takes no copies", path=str(self.path), error=str(fault)
                    )
                    listed.clear()
                    break

    def _fetched(self, copied: Copied, copies: Copies) -> RunFile:
        """Bring a copy here. Its pieces are sealed: what is wrong behind that is the disk's."""
        path = self.path / f"{copied.token:016x}{UNFINISHED}"
        with faults_of(f"write {path}"):
            file = store_files.NewFile(path)
        try:
            with faults_of(f"write {path}"):
                for piece in copies.pieces(copied):
                    file.write([piece])
                file.close()
            run = RunFile.open(path)
            described = (run.described.log, run.described.partition, run.described.token)
            ours = (self._log, self._partition, copied.token)
            if described != ours or run.stretch != copied.stretch:
                raise DamagedCopyError(f"{name_of(copied.stretch)} is another run")
            # Not forced onto the disk: what a power cut takes is noticed, and fetched again.
            run.path = self.path / name_of(run.stretch)
            with faults_of(f"name {run.path}"):
                file.name(run.path)
        except BaseException:
            file.give_up()
            raise
        return run

    def _opened(self, path: Path) -> RunFile | None:
        """A run that is whole and ours; a damaged one is none, so it is a gap."""
        try:
            run = RunFile.open(path)
        except RunFault as fault:
            ID_STORE_FAULTS.labels("open").inc()
            logger.warning("a run of ids is damaged", path=str(path), error=str(fault))
            return None
        ours = (self._log, self._partition, name_of(run.stretch))
        is_ours = (run.described.log, run.described.partition, path.name) == ours
        return run if is_ours else None

    def _delete_others(self) -> None:
        """Delete what is not of use, also what other versions had here."""
        kept = {"lock", *(run.path.name for run in self.runs)}
        with faults_of(f"empty {self.path}"):
            others = [path for path in sorted(self.path.iterdir()) if path.name not in kept]
            for path in others:
                store_files.delete(path)
        if any(path.suffix != UNFINISHED for path in others):
            logger.info(
                "deleted ids on disk that are of no use", path=str(self.path), files=len(others)
            )

    def last_seen(self, ids: Words, below: int) -> Ints:
        """When each of these ids was last seen, as far as runs that begin below an offset say.

        In log time; -1 for those that are in none.
        """
        times_ms = np.full(len(ids), -1)
        high, low = ids[:, 0].copy(), ids[:, 1].copy()
        masks = masks_of(low)
        for run in reversed(self.runs):
            if run.stretch.begin.offset < below:
                found, seen_ms = run.last_seen(high, low, masks)
                # What a newer run says counts.
                fresh = times_ms[found] < 0
                times_ms[found[fresh]] = seen_ms[fresh]
        return times_ms

    def keep(self, sightings: Sightings) -> bool:
        """Write a run, to be asked from now on.

        False where that was overtaken: by another that ends behind where it begins, or a `close`.
        """
        if self.end is not None and sightings.begin.offset < self.end.offset:
            return False
        if not self._may_write():
            return False
        times_ms = sightings.seen_ms if len(sightings.seen_ms) else [sightings.end.log_ms]
        stretch = Stretch(
            sightings.begin,
            sightings.end,
            int(np.min(times_ms)),
            int(np.max(times_ms)),
            len(sightings.ids),
        )
        with self._writer(stretch, synced=False) as writer:
            writer.add(in_order(sightings.ids, sightings.seen_ms))
            run = writer.finish()
            with self._lock:
                if not self._may_write():
                    return False
                writer.name(run, self.path / name_of(run.stretch))
                self.runs = (*self.runs, run)
                self.end = run.stretch.end
        return True

    def _writer(self, stretch: Stretch, *, synced: bool) -> RunWriter:
        token = randbits(TOKEN_BITS)
        described = Described(
            self._log,
            self._partition,
            stretch,
            token=token,
            room=stretch.count,
            time_bytes=time_bytes_for(stretch.first_ms, stretch.last_ms),
            synced=synced,
        )
        # A name that no other has: in a folder that was recreated nothing of its owner is met.
        return RunWriter(self.path / f"{token:016x}{UNFINISHED}", described)

    def _may_write(self) -> bool:
        """Whether the place is still open. Raises `PlaceGoneFault` where it is another's by now."""
        if self._claim is None:
            return False
        with faults_of(f"look at {self.path}"):
            there = store_files.is_claimed(self.path, self._claim)
        if not there:
            raise PlaceGoneFault(f"{self.path} is gone, or another folder by now")
        return True

    def tidy(self, settled: Settled) -> bool:
        """Delete the runs that are past, and merge some; say whether there may be more to merge."""
        past = [run for run in self.runs if run.stretch.end.log_ms <= settled.past_ms]
        if past:
            self._replace(past, None)
        group = to_merge(self.runs, settled)
        return bool(group) and self._may_write() and self._merge(group)

    def _merge(self, group: Sequence[RunFile]) -> bool:
        with self._writer(merged_stretch(group), synced=True) as writer:
            for ids in merged(group, lambda: self._claim is None):
                writer.add(ids)
            run = writer.finish()
            with self._lock:
                if not self._may_write():
                    return False
                writer.name(run, self.path / name_of(run.stretch))
        with faults_of(f"write {self.path}"):
            store_files.sync_folder(self.path)
        self._replace(group, run)
        return True

    def _replace(self, gone: Sequence[RunFile], merged_run: RunFile | None) -> None:
        """Ask one run, or none, in place of others, and delete their files."""
        with self._lock:
            if not self._may_write():
                return
            left = [run for run in self.runs if run not in gone]
            if merged_run is not None:
                begin = merged_run.stretch.begin.offset
                at = sum(run.stretch.begin.offset < begin for run in left)
                left.insert(at, merged_run)
            self.runs = tuple(left)
            with faults_of(f"delete what was merged or is past in {self.path}"):
                for run in gone:
                    store_files.delete(run.path)

    def discard(self, path: Path) -> None:
        """Close the place, and have nobody read a file of it again."""
        try:
            with faults_of(f"delete {path}"):
                if self._claim is not None and store_files.is_claimed(self.path, self._claim):
                    store_files.delete(path)
                    store_files.sync_folder(self.path)
        finally:
            self.close()

    def close(self) -> None:
        """Let others use the place. Closing again does nothing.

        Whoever is asking at this moment goes on with the runs, which are open.
        """
        with self._lock:
            claim, self._claim = self._claim, None
        if claim is not None:
            store_files.release(claim)
