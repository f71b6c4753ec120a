"""One partition's ids on a real disk: processes that are killed at any step, and a plain oracle.

The log is a list, the oracle looks through all of it for every record. What runs is the real
partition state, ids, their runs in files and `rebuild_from`; events come decoded.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from schemas.measures import USUAL
from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.cuts import Cut
from services.aggregator.core import run_copies, runs
from services.aggregator.core.dedup import IdsUnreadableError, SeenIds, Sightings
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState, Snapshot
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoded, Decoder
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.recovery import rebuild_from
from services.aggregator.storage import seen_place, store_files
from services.aggregator.storage.copy_pieces import seal_of, unsealed
from services.aggregator.storage.run_file import RunFile
from services.aggregator.storage.seen_store import READ_REST_SECONDS_MAX, SeenStores
from services.platform.errors import UnavailableError
from tests.memory_disk import MEMORY_DISK

HOUR_MS = 3_600_000
#: Stated again, so that the code cannot change it unnoticed.
CLOCK_STEP_MAX_MS = 25 * HOUR_MS
TOO_NEW_MS = 5 * 60_000
#: With the longest horizon of any schedule.
KEEP_MS_MAX = 72 * HOUR_MS + CLOCK_STEP_MAX_MS
#: Of copies: blocks lie in two.
PIECE_BYTES = 1000
T0_MS = 1_750_000_000_000


@dataclass
class TheLog:
    """Records in the order of the log: the broker's clock, the true time, and whose event it is."""

    append_ms: list[int] = field(default_factory=list)
    true_ms: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    #: What came before was deleted.
    start: int = 0
    #: How many of the next questions Kafka answers with nothing.
    lost_answers: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, times_ms: Mapping[int, int]) -> dict[int, int]:
        """`LogOffsets.at`: Kafka's answer, the first offset appended at or after a time."""
        if self.lost_answers:
            self.lost_answers -= 1
            return dict.fromkeys(times_ms, -1)
        return {
            partition: next(
                (o for o, at in enumerate(self.append_ms) if at >= time_ms and o >= self.start), -1
            )
            for partition, time_ms in times_ms.items()
        }


LABELS = Labels()
assert LABELS.series.number(Series("usage", "r", "p", "m")) == 0

#: What becomes of a record.
COUNTS, DUPLICATE, REFUSED = "counts", "duplicate", "refused"


def truth(log: TheLog, horizons_ms: list[tuple[int, int]]) -> list[str]:
    """Decide every record by looking at all before it; horizons are each from an offset on."""
    verdicts: list[str] = []
    sightings: list[tuple[int, int]] = []
    newest_ms = 0
    for offset, (append_ms, identity) in enumerate(zip(log.append_ms, log.ids, strict=True)):
        newest_ms = max(newest_ms, append_ms)
        [*_, horizon_ms] = [horizon for start, horizon in horizons_ms if start <= offset]
        if log.true_ms[offset] - newest_ms > TOO_NEW_MS:
            verdicts.append(REFUSED)
            continue
        within_ms = horizon_ms + CLOCK_STEP_MAX_MS
        again = any(seen == identity and newest_ms - at < within_ms for seen, at in sightings)
        verdicts.append(DUPLICATE if again else COUNTS)
        sightings.append((identity, newest_ms))
    return verdicts


class Killed(BaseException):
    """The process dies at a step of what it writes."""


class Disk:
    """A folder that a kill leaves as it is at that moment, whatever the dead process does yet."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
        self.steps_left: int | None = None
        #: So many steps more the disk takes; then it is full.
        self.takes: int | None = None
        #: Whether it cannot be read.
        self.unreadable = False
        self._image: Path | None = None

    def step(self, frees: bool = False) -> None:
        """One more step of what writes to the disk; it may be the last.

        What frees space goes on where a disk is full.
        """
        if self._image is not None:
            raise Killed
        if self.takes is not None and not frees:
            self.takes -= 1
            if self.takes < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
        if self.steps_left is None:
            return
        self.steps_left -= 1
        if self.steps_left < 0:
            self.freeze()
            raise Killed

    def freeze(self) -> None:
        """Take the disk as it is now; what is done to it from here on is not."""
        self.steps_left = None
        self._image = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
        shutil.copytree(self.folder, self._image, dirs_exist_ok=True)

    def thaw(self) -> None:
        """Begin again with what was frozen."""
        if self._image is not None:
            shutil.rmtree(self.folder)
            self.folder, self._image = self._image, None

    def damage(self, which: int, how: Callable[[bytes], bytes | None]) -> None:
        """Do something to one of its files."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        if files:
            path = files[which % len(files)]
            content = how(path.read_bytes())
            path.unlink() if content is None else path.write_bytes(content)

    def remove(self) -> None:
        self.thaw()
        shutil.rmtree(self.folder)


#: Where writing to disk can be cut off: before and after each call of these.
STEPS: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    (Path, "rename"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (Path, "mkdir"),
    (store_files.NewFile, "write"),
)
#: Of these, those that need no space.
FREES = ("unlink", "rmdir")


@contextmanager
def stepped(disk: Disk) -> Iterator[None]:
    """Make every write to the disk a step."""
    with_steps = []
    for owner, name in STEPS:
        whole = getattr(owner, name)

        def in_steps(
            *args: Any, whole: Any = whole, frees: bool = name in FREES, **more: Any
        ) -> Any:
            disk.step(frees)
            result = whole(*args, **more)
            disk.step(frees)
            return result

        with_steps.append(patch.object(owner, name, in_steps))
    for patched in with_steps:
        patched.start()
    try:
        yield
    finally:
        for patched in with_steps:
            patched.stop()


class ModelCopies:
    """The copies of runs that a database has."""

    def __init__(self) -> None:
        #: By token, with seals and pieces.
        self.held: dict[int, tuple[Copied, list[tuple[int, bytes]]]] = {}
        #: The highest checkpoint that there was.
        self.confirmed = 0
        #: Of so many pieces the last is not answered.
        self.answers: int | None = None

    def listed(self) -> list[Copied]:
        return [copied for copied, _ in self.held.values()]

    def pieces(self, copied: Copied) -> Iterator[bytes]:
        for piece in unsealed(copied, self.held[copied.token][1]):
            if self.answers is not None:
                self.answers -= 1
                if self.answers < 0:
                    self.answers = None
                    raise UnavailableError("the database is away")
            yield piece

    def write(self, run: RunFile, given_up: Callable[[], bool]) -> Copied | None:
        pieces = list(run.pieces(PIECE_BYTES))
        copied = Copied(run.stretch, run.described.token, len(pieces), run.file_bytes)
        sealed = [(seal_of(copied.token, at, piece), piece) for at, piece in enumerate(pieces)]
        self.held[copied.token] = copied, sealed
        assert run.stretch.end.offset <= self.confirmed, "copied ahead of a checkpoint"
        return copied

    def reach(self, below: int, past_ms: int) -> int:
        """Up to which offset copies alone say all that matters; 0 where they do not."""
        stretches = [
            copied.stretch for copied in self.listed() if copied.stretch.end.offset <= below
        ]
        ends = {one.begin.offset for one in stretches if one.begin.log_ms <= past_ms}
        for one in sorted(stretches, key=lambda one: one.begin.offset):
            if one.begin.offset in ends:
                ends.add(one.end.offset)
        return max(ends & {one.end.offset for one in stretches}, default=0)


class Process:
    """A worker with one partition, from its recovery to its death."""

    def __init__(
        self,
        log: TheLog,
        stores: SeenStores,
        checkpoint: Checkpoint,
        rules: RuleBook,
        copies: ModelCopies | None = None,
    ) -> None:
        self._log = log
        self.store = stores.open(0, checkpoint.settled(rules), log.start, copies)
        try:
            read_from = rebuild_from(
                log,  # type: ignore[arg-type]
                {0: checkpoint},
                {0: rules},
                {0: log.start},
                {0: self.store},
                0,
            )
        except UnavailableError:
            self.store.close()
            raise
        self.state = PartitionState(
            0,
            rules,
            checkpoint,
            SliceStore({}),
            SeenIds(self.store, Cut(read_from[0].offset, read_from[0].log_ms)),
            read_from[0].offset,
            Decoder(LABELS),
            read_from[0].log_ms,
        )
        self.verdicts: dict[int, str] = {}

    def read(self, count: int) -> None:
        """Meter the next records, and note what became of those beyond the checkpoint."""
        start, fresh_from = self.state.next_offset, self.state.checkpoint.next_offset
        end = min(start + count, len(self._log))
        if start == end:
            return
        offsets = np.arange(start, end, dtype=np.int64)
        append_ms = np.array(self._log.append_ms[start:end], np.int64)
        records = Records(offsets, append_ms, [RECORD] * len(offsets))
        letters = len(self.state._dead_letters)
        sifted = self.state.sift(records, self._decoded(start, end))
        counted = {int(at) for added in sifted.additions for at in added.offsets}
        refused = {letter.offset for letter in self.state._dead_letters._letters[letters:]}
        self.state.fold(sifted)
        for offset in range(max(start, fresh_from), end):
            here = COUNTS if offset in counted else DUPLICATE
            self.verdicts[offset] = REFUSED if offset in refused else here

    def _decoded(self, start: int, end: int) -> Decoded:
        count = end - start
        zeros = np.zeros(count, np.int64)
        halves = [(number << 32 | 5, number) for number in self._log.ids[start:end]]
        return Decoded(
            count,
            np.arange(count),
            1000 * np.array(self._log.true_ms[start:end], np.int64),
            zeros,
            zeros,
            zeros,
            np.array(halves, np.uint64),
            np.zeros((count, USUAL), np.int64),
            np.zeros((count, 0), np.int64),
            np.zeros(count, np.bool_),
            [],
        )


#: A record whose time is refused is decoded once more; what it says does not matter here.
RECORD = (
    b'{"id":"i","source":"s","tenant":"t","time":"2099-01-01T00:00:00Z","region":"r",'
    b'"provider":"p","model":"m","input_tokens":1,"output_tokens":1}'
)


class IdsWorld:
    """A log, a database that knows checkpoints, disks, and the process that meters now."""

    def __init__(
        self, memory_max: int = 2, horizon_ms: int = 24 * HOUR_MS, copies: ModelCopies | None = None
    ) -> None:
        self.log = TheLog()
        self.copies = copies
        self.now_ms = T0_MS
        self.memory_max = memory_max
        self.horizons_ms = [(0, horizon_ms)]
        self.checkpoints = [Checkpoint(0, 0)]
        self.disks = [Disk(), Disk()]
        #: Whether the log has less than ids matter.
        self.needs_copies = False
        self.flushing: Snapshot | None = None
        self.seconds = 0.0
        #: Taken by the flush, and not written yet.
        self.unwritten: Sightings | None = None
        # A schedule must go the same way each time, down to which file is damaged.
        numbers = itertools.count()
        self._patches = (
            patch.object(store_files.OpenFile, "read", self._read_file(store_files.OpenFile.read)),
            patch.object(seen_place, "randbits", lambda _: next(numbers)),
            patch.object(runs, "FAN_IN", 2),
            patch.object(run_copies, "REPLACED_MIN", 2),
        )
        for patched in self._patches:
            patched.start()
        self.stores = self._new_stores()
        self.process = self._start()

    def _read_file(self, whole: Callable[..., bytes]) -> Callable[..., bytes]:
        def read(file: store_files.OpenFile, at: int, size: int) -> bytes:
            if self.disk.unreadable:
                raise OSError(errno.EIO, "Input/output error")
            return whole(file, at, size)

        return read

    def _new_stores(self) -> SeenStores:
        return SeenStores(self.disk.folder, "cluster/log", lambda: self.seconds)

    @property
    def disk(self) -> Disk:
        """The disk in use."""
        return self.disks[0]

    @property
    def rules(self) -> RuleBook:
        return RuleBook(
            tuple(
                (start, MeteringRules(dedup_horizon_ms=horizon_ms, too_new_ms=TOO_NEW_MS))
                for start, horizon_ms in self.horizons_ms
            )
        )

    def _start(self) -> Process:
        self.flushing = self.unwritten = None
        while True:
            try:
                return self._process()
            except UnavailableError:
                # As a worker tries again; answers are lost one at a time, and disks get room.
                self.disk.takes, self.disk.unreadable = None, False
                self.seconds += READ_REST_SECONDS_MAX

    def _process(self) -> Process:
        return Process(self.log, self.stores, self.checkpoints[-1], self.rules, self.copies)

    def append(self, pause_ms: int, clock_ms: int, ids: list[int]) -> None:
        """A batch arrives, at a broker whose clock is off by so much."""
        self.now_ms += pause_ms
        for identity in ids:
            self.log.append_ms.append(self.now_ms + clock_ms)
            self.log.true_ms.append(self.now_ms)
            self.log.ids.append(identity)

    def do(
        self, work: Callable[[], object], steps: int | None = None, takes: int | None = None
    ) -> None:
        """Let the process do something that writes to disk.

        Killed after so many steps, or with a disk that is full after so many.
        """
        self.disk.steps_left, self.disk.takes = steps, takes
        try:
            with stepped(self.disk):
                work()
        except Killed:
            self.begin_again()
        finally:
            self.disk.steps_left = self.disk.takes = None

    def write(self) -> None:
        """Write a run of what the flush took, or of what was seen since, and make room."""
        seen = self.process.state.seen
        taken, self.unwritten = self.unwritten or self.process.state.unwritten_ids(), None
        if taken is not None:
            seen.keep(taken)
        seen.make_room(self.memory_max)

    def tidy(self) -> bool:
        """Delete runs that are past, and merge some."""
        return self.process.state.seen.tidy(self.process.state.settled)

    def read(self, count: int) -> None:
        """Meter the next records; where the disk lost ids, the partition is recovered."""
        try:
            self.process.read(count)
        except IdsUnreadableError:
            self.drop()

    def kill(self, damage: Callable[[], None] = lambda: None) -> None:
        """Between two steps; something may happen to the disk before the next process comes."""
        self.disk.freeze()
        self.begin_again(damage)

    def drop(self) -> None:
        """The partition is given up without a flush, and taken again, by the same process."""
        self.check()
        self.process.store.close()
        self.process = self._start()

    def begin_again(self, damage: Callable[[], None] = lambda: None) -> None:
        """The next process, on the same disk."""
        self.check()
        self.process.store.close()
        self.disk.thaw()
        damage()
        self.stores = self._new_stores()
        self.process = self._start()

    def begin_again_in_steps(self, steps: int | None, takes: int | None) -> None:
        """The next process, which dies after so many steps, or finds a disk that becomes full."""
        self.check()
        self.process.store.close()
        self.stores = self._new_stores()
        self.disk.steps_left, self.disk.takes = steps, takes
        try:
            with stepped(self.disk):
                self.process = self._start()
        except Killed:
            self.disk.thaw()
            self.stores = self._new_stores()
            self.process = self._start()
        finally:
            self.disk.steps_left = self.disk.takes = None

    def lose_disk(self) -> None:
        """The next process has a disk with nothing on it."""
        self.kill(lambda: shutil.rmtree(self.disk.folder / "cluster_log", ignore_errors=True))

    def lose_disk_before_the_next(self) -> None:
        """What is on disk goes when the process ends."""
        self.process.store.close()
        shutil.rmtree(self.disk.folder / "cluster_log", ignore_errors=True)

    def copy(self, behind: bool) -> None:
        """Copy what is due: a run at most, or as many as there are."""
        assert self.copies is not None
        state, store = self.process.state, self.process.store
        self.copies.confirmed = max(self.copies.confirmed, self.checkpoints[-1].next_offset)
        until_ms = 1 << 60 if behind else -1
        while store.copy(self.copies.listed(), state.settled, until_ms, self.copies.write):
            if not behind:
                return

    def retain_what_is_not_copied(self) -> None:
        """Kafka deletes what copies say as well: they have to be there from now on."""
        assert self.copies is not None
        newest = self.checkpoints[-1]
        past_ms = newest.last_append_ms - KEEP_MS_MAX
        start = self.copies.reach(newest.next_offset, past_ms)
        if start > self.log.start:
            self.log.start, self.log.lost_answers = start, 0
            self.checkpoints = [newest]
            self.needs_copies = True

    def lose_copy(self, which: int, how: Callable[[bytes], bytes | None]) -> None:
        """Something befalls a copy, as long as the log has what it says."""
        if self.copies is None or self.needs_copies or not self.copies.held:
            return
        token = list(self.copies.held)[which % len(self.copies.held)]
        copied, sealed = self.copies.held.pop(token)
        seals, pieces = zip(*sealed, strict=True)
        content = how(b"".join(pieces))
        if content is not None:
            rest = [content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)]
            self.copies.held[token] = copied, list(zip(seals, rest, strict=False))

    def move_to_other_disk(self) -> None:
        """Another machine goes on, with a disk from when it last had the partition."""
        self.process.store.close()
        self.disks.reverse()
        self.stores = self._new_stores()
        self.process = self._start()

    def begin_flush(self) -> None:
        """Take the snapshot; batches go on."""
        self.flushing = self.process.state.snapshot() or self.flushing
        self.unwritten = self.process.state.unwritten_ids()

    def write_checkpoint(self) -> None:
        """What was taken is in the database; the process does not know it yet."""
        if self.flushing is not None:
            self.checkpoints.append(self.flushing.checkpoint)

    def end_flush(self) -> None:
        """The process hears of it."""
        taken, self.flushing = self.flushing, None
        if taken is not None:
            if self.checkpoints[-1] != taken.checkpoint:
                self.checkpoints.append(taken.checkpoint)
            self.process.state.flushed(taken)

    def retain(self) -> None:
        """Kafka deletes what no checkpoint of the newest backup needs any more."""
        newest = self.checkpoints[-1]
        past_ms = newest.last_append_ms - KEEP_MS_MAX
        log_ms = np.maximum.accumulate([0, *self.log.append_ms])[1:]
        start = min(int(np.searchsorted(log_ms, past_ms, "right")), newest.next_offset)
        if start > self.log.start:
            self.log.start, self.log.lost_answers = start, 0
            self.checkpoints = [newest]

    def restore(self, which: int) -> None:
        """A backup of the database is restored, with the workers stopped; disks stay."""
        del self.checkpoints[1 + which % len(self.checkpoints) :]
        self.begin_again()

    def change_horizon(self, horizon_ms: int) -> None:
        """A rule is stored from the checkpoint on, with the workers stopped."""
        offset = self.checkpoints[-1].next_offset
        kept = [row for row in self.horizons_ms if row[0] < offset or row[0] == 0 != offset]
        self.check()
        self.horizons_ms = [*kept, (offset, horizon_ms)]
        self.process.verdicts.clear()
        self.begin_again()

    def check(self) -> None:
        """Every decision of this process is the oracle's."""
        expected = truth(self.log, self.horizons_ms)
        wrong = {
            offset: (verdict, expected[offset])
            for offset, verdict in self.process.verdicts.items()
            if verdict != expected[offset]
        }
        assert not wrong, f"decided, expected: {wrong}"

    def finish(self) -> None:
        """Read to the end, and compare."""
        while self.process.state.next_offset < len(self.log):
            self.read(3)
        self.check()

    def close(self) -> None:
        self.process.store.close()
        for patched in self._patches:
            patched.stop()
        for disk in self.disks:
            disk.remove()
