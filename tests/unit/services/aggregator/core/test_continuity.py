"""Whether what is read of a log continues what was read of it before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest

from services.aggregator.core.continuity import Continuity, RecordsReplacedError
from services.aggregator.decoding.batch_mark import BatchMark


def mark(begin: int, end: int, crc: int = 7, epoch: int = 1) -> BatchMark:
    return BatchMark(begin, end, crc, epoch)


def read(continuity: Continuity, first: int, *batches: BatchMark) -> bool:
    """Meter what a fetch brought, if it continues."""
    if not continuity.continues(first, batches):
        return False
    continuity.read(batches[-1].next_offset, batches)
    return True


def test_of_one_epoch_reading_goes_on() -> None:
    continuity = Continuity()
    assert read(continuity, 0, mark(0, 10), mark(10, 20, 8))
    assert read(continuity, 20, mark(20, 30, 9))
    assert continuity.awaited is None
    assert continuity.last(30) == mark(20, 30, 9)


def test_of_a_new_leader_the_last_batch_has_to_be_met_again() -> None:
    continuity = Continuity()
    assert read(continuity, 0, mark(0, 10))
    assert not read(continuity, 10, mark(10, 20, 8, epoch=2))
    assert continuity.awaited == mark(0, 10)
    # What was fetched before the seek is refused as well, of whatever epoch.
    assert not read(continuity, 20, mark(20, 30, 9, epoch=2))
    assert read(continuity, 9, mark(0, 10), mark(10, 20, 8, epoch=2))
    assert continuity.awaited is None
    assert read(continuity, 20, mark(20, 30, 9, epoch=2))


def test_the_batch_alone_is_proof_for_the_epoch_that_made_it_doubtful() -> None:
    """A fetch may end with it: to doubt the next one again would never end."""
    continuity = Continuity()
    assert read(continuity, 0, mark(0, 10))
    assert not read(continuity, 10, mark(10, 20, 8, epoch=2))
    assert read(continuity, 9, mark(0, 10))
    assert read(continuity, 10, mark(10, 20, 8, epoch=2))
    assert not read(continuity, 20, mark(20, 30, 9, epoch=3))


def test_a_fetch_of_two_leaders_is_of_one_log() -> None:
    continuity = Continuity()
    assert read(continuity, 0, mark(0, 10), mark(10, 20, 8, epoch=2))
    assert read(continuity, 20, mark(20, 30, 9, epoch=2))


@pytest.mark.parametrize(
    "there", [mark(0, 10, 8), mark(0, 12), mark(5, 10), mark(0, 12, 8, epoch=2)]
)
def test_another_batch_in_its_place_is_told(there: BatchMark) -> None:
    continuity = Continuity(mark(0, 10))
    with pytest.raises(RecordsReplacedError, match="below offset 10") as told:
        continuity.continues(9, [there])
    assert told.value.offset == 10


@pytest.mark.parametrize(
    "there",
    [
        mark(10, 12, 8),
        replace(mark(7, 12, 8), compacted=True),
        replace(mark(0, 10, 8), compacted=True),
    ],
)
def test_a_batch_that_was_compacted_cannot_be_compared(there: BatchMark) -> None:
    """Or that is gone, with a gap in its place: no log that grew again has one."""
    continuity = Continuity(mark(0, 10))
    assert read(continuity, 9, there, mark(12, 20, 9))
    assert continuity.awaited is None


def test_a_batch_that_retention_took_is_not_waited_for() -> None:
    continuity = Continuity()
    assert read(continuity, 0, mark(0, 10))
    assert not continuity.in_doubt
    assert not read(continuity, 10, mark(10, 20, 8, epoch=2))
    assert continuity.in_doubt
    continuity.believe(9)
    assert continuity.awaited is not None
    continuity.believe(10)
    assert continuity.awaited is None and not continuity.in_doubt
    assert read(continuity, 10, mark(10, 20, 8, epoch=2))
    assert not read(continuity, 20, mark(20, 30, 9, epoch=3))


def test_who_appended_it_does_not_matter() -> None:
    """A checkpoint does not say which epoch its batch is of."""
    continuity = Continuity(mark(0, 10, epoch=-1))
    assert read(continuity, 9, mark(0, 10, epoch=5), mark(10, 20, 8, epoch=5))
    assert read(continuity, 20, mark(20, 30, 9, epoch=5))


def test_after_a_recovery_nothing_is_metered_before_the_last_batch_was_met() -> None:
    continuity = Continuity(mark(20, 30, 9))
    # What is read again below it, for ids.
    assert read(continuity, 0, mark(0, 10))
    assert read(continuity, 10, mark(10, 20, 8, epoch=2))
    assert not read(continuity, 30, mark(30, 40))
    assert continuity.awaited is not None
    assert read(continuity, 20, mark(20, 30, 9, epoch=2), mark(30, 40, epoch=2))
    assert continuity.last(40) == mark(30, 40, epoch=2)


def test_an_end_that_no_batch_has_is_not_known() -> None:
    """A succession may end within a batch."""
    continuity = Continuity()
    assert continuity.continues(0, [mark(0, 10)])
    continuity.read(15, [mark(0, 10)])
    assert continuity.last(15) is None
    assert read(continuity, 15, mark(10, 20, epoch=2))


@dataclass
class Log:
    """A log whose leader may change, with or without its newest batches."""

    draw: Random
    batches: list[BatchMark] = field(default_factory=list)
    epoch: int = 0

    @property
    def end(self) -> int:
        return self.batches[-1].next_offset if self.batches else 0

    def append(self) -> None:
        size, crc = self.draw.randint(1, 3), self.draw.getrandbits(32)
        self.batches.append(BatchMark(self.end, self.end + size, crc, self.epoch))

    def change_leader(self, lost: int) -> None:
        self.epoch += 1
        del self.batches[len(self.batches) - lost :]

    def fetch(self, offset: int) -> list[BatchMark]:
        found = [one for one in self.batches if one.next_offset > offset]
        return found[: self.draw.randint(1, 4)]


@pytest.mark.parametrize("seed", range(300))
def test_what_is_read_is_always_a_log_that_is_or_was_whole(seed: int) -> None:
    """Nothing is read twice or out of another log, and a change of leaders alone loses nothing."""
    draw = Random(seed)
    log, continuity = Log(draw), Continuity()
    taken: list[BatchMark] = []
    queue: list[tuple[int, list[BatchMark]]] = []
    lost_ever = False
    for _ in range(200):
        step = draw.choice(["append", "append", "fetch", "fetch", "meter", "meter", "leader"])
        place = taken[-1].next_offset if taken else 0
        if step == "append":
            log.append()
        elif step == "leader" and draw.random() < 0.3:
            lost = draw.randint(0, 3) if draw.random() < 0.5 else 0
            lost_ever |= lost > 0
            log.change_leader(lost)
        elif step == "fetch":
            again = continuity.awaited is not None
            offset = queue[-1][1][-1].next_offset if queue else place - again
            if found := log.fetch(offset):
                queue.append((offset, found))
        elif step == "meter" and queue:
            first, batches = queue.pop(0)
            try:
                if not continuity.continues(first, batches):
                    queue.clear()
                    continue
            except RecordsReplacedError:
                assert lost_ever
                return
            fresh = [one for one in batches if one.next_offset > place]
            assert [one.base_offset for one in fresh[:1]] in ([], [place])
            taken += fresh
            continuity.read(batches[-1].next_offset, batches)
            # Fetched ahead, it may be of a log that has lost it since; but of one log it is.
            epochs = [one.leader_epoch for one in taken]
            assert epochs == sorted(epochs)
    if not lost_ever:
        assert taken == log.batches[: len(taken)]
