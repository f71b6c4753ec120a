"""Ids are known on whatever disk: the real ids seen, their runs and copies of these.

Everything of `test_ids_seen`, and besides: copies are made or lag behind, disks are lost, copies
are lost and damaged, fetching is cut off at any step, the log keeps only what no copy says. Every
decision is compared with an oracle that looks through the whole log.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from services.aggregator.core import run_copies
from services.aggregator.storage import seen_place, seen_store
from tests.property.concurrent.planting import Edit, plant
from tests.property.ids_world import HOUR_MS, IdsWorld, ModelCopies
from tests.property.test_ids_seen import DAMAGES, EXAMPLES, Schedule


class WithCopies(Schedule):
    """The same, with copies of runs."""

    def __init__(self) -> None:
        super().__init__()
        self.world.close()
        self.world = IdsWorld(copies=ModelCopies())

    @rule()
    def copy_one(self) -> None:
        self.world.copy(behind=False)

    @rule()
    def copy_all(self) -> None:
        self.world.copy(behind=True)

    @rule(pieces=st.integers(1, 4))
    def flushes_and_copies(self, pieces: int) -> None:
        for _ in range(pieces):
            self.flushes(1)
            self.world.copy(behind=True)

    @rule()
    def lose_disk(self) -> None:
        self.world.lose_disk()

    @rule()
    def short_retention(self) -> None:
        self.world.retain_what_is_not_copied()

    @rule(which=st.integers(0, 99), how=st.sampled_from(DAMAGES))
    def lose_copy(self, which: int, how: Callable[[bytes], bytes | None]) -> None:
        self.world.lose_copy(which, how)

    @rule(pieces=st.integers(0, 9))
    def database_away_while_fetching(self, pieces: int) -> None:
        assert self.world.copies is not None
        self.world.copies.answers = pieces
        self.world.lose_disk()
        self.world.copies.answers = None

    @rule(steps=st.integers(0, 24), emptied=st.booleans())
    def killed_while_opening(self, steps: int, emptied: bool) -> None:
        if emptied:
            self.world.lose_disk_before_the_next()
        self.world.begin_again_in_steps(steps, None)

    @rule(takes=st.integers(0, 24), emptied=st.booleans())
    def disk_full_while_opening(self, takes: int, emptied: bool) -> None:
        if emptied:
            self.world.lose_disk_before_the_next()
        self.world.begin_again_in_steps(None, takes)


def seen(world: IdsWorld, *ids: int, pause_ms: int = HOUR_MS) -> None:
    """Some ids are seen, and their run and checkpoint are written."""
    world.append(pause_ms, 0, list(ids))
    world.read(len(ids))
    world.begin_flush()
    world.do(world.write)
    world.end_flush()


def a_disk_is_lost(world: IdsWorld) -> None:
    """Nothing has to be read again, and the log need not have it."""
    for number in range(0, 8, 2):
        seen(world, number, number + 1)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    assert world.log.start == 8
    world.lose_disk()
    assert world.process.state.next_offset == 8
    world.append(HOUR_MS, 0, list(range(8)))


def copies_lag_behind(world: IdsWorld) -> None:
    """What was seen behind the last copy is read from the log."""
    seen(world, 0, 1)
    seen(world, 2, 3)
    world.copy(behind=True)
    seen(world, 0, 4)
    world.append(1, 0, [5])
    world.lose_disk()
    assert world.process.state.next_offset == 4
    world.append(HOUR_MS, 0, [0, 1, 2, 3, 4, 5])


def nothing_is_copied_beyond_the_checkpoint(world: IdsWorld) -> None:
    """A run that was written, and whose checkpoint never came; an older backup besides."""
    seen(world, 0, 1)
    world.append(HOUR_MS, 0, [2, 0])
    world.read(2)
    world.begin_flush()
    world.do(world.write)
    world.copy(behind=True)
    world.lose_disk()
    assert world.process.state.next_offset == 2
    world.append(1, 0, [2, 0])


def restored_to_before_the_copies(world: IdsWorld) -> None:
    """They end beyond the checkpoint, and are of no use there; at a later one they are again."""
    for number in range(4):
        seen(world, number, number + 1)
    world.copy(behind=True)
    world.restore(1)
    world.append(1, 0, [0, 3])
    world.read(100)
    world.lose_disk()
    world.append(1, 0, [4, 1])


def a_copy_in_the_middle_is_damaged(world: IdsWorld) -> None:
    for number in range(0, 6, 2):
        seen(world, number, number + 1)
        world.copy(behind=True)
    world.lose_copy(1, lambda content: b"\x01" * 17 + content[17:])
    world.lose_disk()
    assert world.process.state.next_offset == 2
    world.append(HOUR_MS, 0, list(range(6)))


def a_copy_is_another_run(world: IdsWorld) -> None:
    """What the database says of it is not what it is."""
    assert world.copies is not None
    for number in range(0, 4, 2):
        seen(world, number, number + 1)
        world.copy(behind=True)
    (first, one), (second, other) = world.copies.held.values()
    world.copies.held = {first.token: (first, other), second.token: (second, one)}
    world.lose_disk()
    assert world.process.state.next_offset == 0
    world.append(HOUR_MS, 0, list(range(4)))


def a_run_here_and_copies_of_the_rest(world: IdsWorld) -> None:
    """Another worker had it meanwhile: what that saw is fetched, and no more."""
    seen(world, 0, 1)
    world.copy(behind=True)
    world.move_to_other_disk()
    for number in range(2, 30):
        seen(world, number, pause_ms=1)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    world.move_to_other_disk()
    assert world.process.state.next_offset == 30
    world.append(HOUR_MS, 0, [0, 1, 2, 29])


def merged_here_and_not_there(world: IdsWorld) -> None:
    """Runs that overlap copies and do not join them."""
    for number in range(4):
        seen(world, number)
        while world.tidy():
            pass
        world.copy(behind=True)
        world.retain_what_is_not_copied()
        world.lose_disk()
        assert world.process.state.next_offset == number + 1
    world.append(HOUR_MS, 0, [0, 1, 2, 3])


def merged_with_what_is_copied(world: IdsWorld) -> None:
    """Of a merged run a part is copied, and the rest is not."""
    seen(world, 0)
    world.copy(behind=True)
    seen(world, 1)
    while world.tidy():
        pass
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    world.lose_disk()
    assert world.process.state.next_offset == 2
    world.append(HOUR_MS, 0, [0, 1])


def the_disk_is_full_and_the_log_short(world: IdsWorld) -> None:
    """Nothing is guessed: it waits until there is room."""
    for number in range(0, 8, 2):
        seen(world, number, number + 1)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    for takes in range(12):
        world.lose_disk_before_the_next()
        world.begin_again_in_steps(None, takes)
        assert world.process.state.next_offset == 8
    world.append(HOUR_MS, 0, list(range(8)))


def no_folder_can_be_made_and_the_log_is_short(world: IdsWorld) -> None:
    seen(world, 0, 1, 2, 3)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    world.lose_disk_before_the_next()
    world.begin_again_in_steps(None, 0)
    world.append(HOUR_MS, 0, [0, 1, 2, 3])


def killed_at_each_step_of_fetching(world: IdsWorld) -> None:
    for number in range(0, 6, 2):
        seen(world, number, number + 1)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    for steps in range(30):
        world.lose_disk_before_the_next()
        world.begin_again_in_steps(steps, None)
        assert world.process.state.next_offset == 6
    world.append(HOUR_MS, 0, list(range(6)))


def a_block_that_was_fetched_is_damaged(world: IdsWorld) -> None:
    """On disk, later: the copy is fetched once more."""
    seen(world, 0, 1, 2)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    world.lose_disk()
    world.kill(lambda: world.disk.damage(1, lambda content: bytes(1000) + content[1000:]))
    world.append(HOUR_MS, 0, [0, 1, 2])


def a_longer_horizon(world: IdsWorld) -> None:
    """The runs on disk are past by the old one; copies have what the new one needs."""
    world.change_horizon(HOUR_MS)
    seen(world, 0)
    world.copy(behind=True)
    seen(world, 1, pause_ms=40 * HOUR_MS)
    world.copy(behind=True)
    while world.tidy():
        pass
    world.retain_what_is_not_copied()
    world.change_horizon(72 * HOUR_MS)
    world.append(HOUR_MS, 0, [0])


def the_disk_cannot_be_read_and_the_log_is_short(world: IdsWorld) -> None:
    """A fault of the disk is none of the copy."""
    for number in range(0, 4, 2):
        seen(world, number, number + 1)
    world.copy(behind=True)
    world.retain_what_is_not_copied()
    world.disk.unreadable = True
    world.lose_disk()
    assert world.process.state.next_offset == 4
    world.append(HOUR_MS, 0, [0, 1, 2, 3])


def sent_again_more_than_a_day_later(world: IdsWorld) -> None:
    """What a clock may step is kept besides the horizon, in copies too."""
    for pause_ms, ids in ((0, [0, 1, 2]), (30 * HOUR_MS, [3, 4, 5])):
        seen(world, *ids, pause_ms=pause_ms)
        world.copy(behind=True)
    world.retain_what_is_not_copied()
    world.lose_disk()
    world.append(10 * HOUR_MS, 0, [0, 1, 2])


def copies_before_a_gap_that_is_gone(world: IdsWorld) -> None:
    """The log begins behind the gap: what is known of the time before is known."""
    assert world.copies is not None
    for number in range(0, 6, 2):
        seen(world, number, number + 1)
        world.copy(behind=True)
    del world.copies.held[list(world.copies.held)[1]]
    world.log.start = 4
    world.lose_disk()
    assert world.process.state.next_offset == 6
    world.append(HOUR_MS, 0, [0, 1, 4, 5])


KNOWN: tuple[Callable[[IdsWorld], None], ...] = (
    a_disk_is_lost,
    copies_lag_behind,
    nothing_is_copied_beyond_the_checkpoint,
    restored_to_before_the_copies,
    a_copy_in_the_middle_is_damaged,
    a_copy_is_another_run,
    a_run_here_and_copies_of_the_rest,
    merged_here_and_not_there,
    merged_with_what_is_copied,
    the_disk_is_full_and_the_log_short,
    no_folder_can_be_made_and_the_log_is_short,
    killed_at_each_step_of_fetching,
    a_block_that_was_fetched_is_damaged,
    a_longer_horizon,
    the_disk_cannot_be_read_and_the_log_is_short,
    sent_again_more_than_a_day_later,
    copies_before_a_gap_that_is_gone,
)


@pytest.mark.parametrize("known", KNOWN)
def test_known_schedule(known: Callable[[IdsWorld], None]) -> None:
    world = IdsWorld(copies=ModelCopies())
    try:
        known(world)
        world.finish()
    finally:
        world.close()


def explore(examples: int, phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink)) -> None:
    run_state_machine_as_test(
        WithCopies,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(900)
def test_every_decision_is_the_oracles() -> None:
    explore(EXAMPLES)


#: What keeps holes shut: a text in a function, and what stands there instead.
PLANTED: dict[str, Edit] = {
    "copies beyond the checkpoint are used": Edit(
        run_copies, "best", "if run.stretch.end.offset <= settled.offset", "if True"
    ),
    "runs beyond the checkpoint are copied": Edit(
        seen_store.SeenStore,
        "copy",
        "copies, settled, until_ms)",
        "copies, Settled(1 << 60, settled.log_ms, settled.keep_ms), until_ms)",
    ),
    "copies are used whatever came before them": Edit(
        run_copies, "best", "reaches_back(run, settled) or begin <= start", "True"
    ),
    "a gap between copies is none": Edit(
        run_copies,
        "best",
        "before := chains.get(begin)",
        "before := chains.get(max((at for at in chains if at <= begin), default=begin))",
    ),
    "copies are past too early": Edit(
        run_copies, "reaches_back", "settled.past_ms", "settled.past_ms + 25 * 3_600_000"
    ),
    "runs here are enough wherever they begin": Edit(
        run_copies,
        "complete",
        "return any(reaches_back(run, settled) for run in runs[first:])",
        "return True",
    ),
    "runs here are enough wherever they end": Edit(
        run_copies, "complete", "runs[-1].stretch.end.offset < settled.offset", "False"
    ),
    "what lies before a gap that is gone is left out": Edit(
        run_copies, "best", "return [*older, *chosen]", "return chosen"
    ),
    "a run that is copied in part is copied": Edit(
        run_copies, "to_copy", "if at.offset == end.offset:", "if count:"
    ),
    "a copy that overlaps a run is all of it": Edit(
        run_copies,
        "to_copy",
        "elif id(run) in wanted and",
        "elif not any(one.stretch.begin.offset <= run.stretch.begin.offset"
        " < one.stretch.end.offset for one in copies) and",
    ),
    "on a full disk the log is believed, which is short": Edit(
        seen_place.Place, "_with_copies", "if not_on_log(missing, start):", "if False:"
    ),
    "without a folder the log is believed, which is short": Edit(
        seen_store.SeenStore, "open", "if not_on_log(wanted, start):", "if False:"
    ),
    "a fault of the disk is one of the copy": Edit(
        seen_place.Place,
        "_with_copies",
        "except DamagedCopyError as fault:",
        "except (DamagedCopyError, StoreFault) as fault:",
    ),
}


@pytest.mark.timeout(900)
@pytest.mark.nightly
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant((PLANTED[bug],), monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        for known in KNOWN:
            test_known_schedule(known)
        explore(300, (Phase.generate,))
