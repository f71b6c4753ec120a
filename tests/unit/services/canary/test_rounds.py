"""What was sent is known at each moment, also by a canary that has just started."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.canary.rounds import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    ROUND_EVENTS,
    Metered,
    Rounds,
)

MISSING_SECONDS = 300.0


def metered(events: int) -> Metered:
    return Metered(events, events * INPUT_TOKENS, events * OUTPUT_TOKENS)


def test_a_round_is_visible_when_all_of_it_is_metered() -> None:
    rounds = Rounds(metered(0), MISSING_SECONDS)
    one = rounds.begin(10)
    assert list(one.numbers) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (rounds.unacknowledged_seconds(12), rounds.unseen_seconds(12)) == (2, 0)
    rounds.acknowledge(13)
    assert (rounds.unacknowledged_seconds(14), rounds.unseen_seconds(14)) == (0, 1)
    assert rounds.read(metered(7), 14) is None
    assert rounds.read(metered(8), 15) == 2
    assert (rounds.unacknowledged_seconds(16), rounds.unseen_seconds(16)) == (0, 0)
    assert rounds.begin(25).first == 9
    assert (rounds.missing, rounds.doubled) == (0, 0)


def test_no_round_begins_before_the_last_is_visible() -> None:
    rounds = Rounds(metered(0), MISSING_SECONDS)
    rounds.begin(0)
    with pytest.raises(AssertionError):
        rounds.begin(1)


def test_what_does_not_come_is_missing_and_found_when_it_comes() -> None:
    rounds = Rounds(metered(100), MISSING_SECONDS)
    rounds.begin(0)
    rounds.acknowledge(1)
    assert rounds.read(metered(105), 1 + MISSING_SECONDS) is None
    assert rounds.missing == 0
    assert rounds.read(metered(105), 2 + MISSING_SECONDS) is None
    assert rounds.missing == 3
    assert rounds.read(metered(108), 400) == 399
    assert rounds.missing == 0


def test_what_is_too_much_is_doubled_and_stays_so() -> None:
    rounds = Rounds(metered(0), MISSING_SECONDS)
    rounds.begin(0)
    rounds.acknowledge(1)
    assert rounds.read(metered(9), 2) == 1
    assert rounds.doubled == 1
    rounds.begin(10)
    rounds.acknowledge(11)
    # The one too many does not stand for one that is still missing.
    assert rounds.read(metered(16), 12) is None
    assert rounds.read(metered(17), 13) == 2
    assert rounds.doubled == 1


def test_tokens_are_held_to_the_events_that_are_there() -> None:
    assert metered(17).difference_tokens == (0, 0)
    assert Metered(2, 2 * INPUT_TOKENS + 1, OUTPUT_TOKENS).difference_tokens == (1, -OUTPUT_TOKENS)


@dataclass
class World:
    """A meter of several partitions: each takes events in order, at its own pace, an id once."""

    chance: random.Random
    log: list[list[int]] = field(default_factory=lambda: [[], [], []])
    taken: list[int] = field(default_factory=lambda: [0, 0, 0])
    #: Which are metered twice, or never.
    twice: frozenset[int] = frozenset()
    never: frozenset[int] = frozenset()

    def send(self, numbers: range) -> None:
        """Append them: all of them, or, where the outcome is unknown, maybe a part."""
        for number in numbers:
            self.log[number * 7 % 3].append(number)

    def take(self) -> None:
        partition = self.chance.randrange(3)
        end = len(self.log[partition])
        self.taken[partition] = self.chance.randint(self.taken[partition], end)

    def take_all(self) -> None:
        self.taken = [len(one) for one in self.log]

    def metered(self) -> Metered:
        seen = {
            number
            for one, taken in zip(self.log, self.taken, strict=True)
            for number in one[:taken]
        }
        return metered(len(seen - self.never) + len(seen & self.twice))


def live(world: World, lives: int, seed: int) -> Rounds:
    """Let canaries of one name follow one another, each killed at some moment; return the last."""
    chance = random.Random(seed)
    now = 0.0
    for life in range(lives):
        rounds = Rounds(world.metered(), MISSING_SECONDS)
        last = life == lives - 1
        for _ in range(chance.randint(1, 5)):
            one = rounds.begin(now)
            attempts = chance.randint(0, 2)
            for _ in range(attempts):
                world.send(range(one.first, chance.randint(one.first, one.last + 1)))
            if not last and chance.random() < 0.2:
                break
            world.send(one.numbers)
            rounds.acknowledge(now)
            for _ in range(chance.randint(0, 6)):
                world.take()
                now += 1
                rounds.read(world.metered(), now)
                assert last or world.twice or rounds.doubled == 0
                if rounds.under_way is None:
                    break
            if rounds.under_way is not None:
                if not last and chance.random() < 0.3:
                    break
                world.take_all()
                now += MISSING_SECONDS + 1
                rounds.read(world.metered(), now)
            if rounds.under_way is not None:
                break
    if rounds.under_way is None:
        # An event that is counted twice may stand for one on its way, for one round.
        world.send(rounds.begin(now).numbers)
        rounds.acknowledge(now)
        world.take_all()
        rounds.read(world.metered(), now + MISSING_SECONDS + 1)
    return rounds


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_no_restart_at_any_moment_makes_a_false_alarm(seed: int, lives: int) -> None:
    rounds = live(World(random.Random(seed)), lives, seed)
    assert (rounds.missing, rounds.doubled) == (0, 0)


@given(st.integers(0, 2**32))
def test_an_event_that_is_counted_twice_or_never_is_found(seed: int) -> None:
    doubled = live(World(random.Random(seed), twice=frozenset({3})), 1, seed)
    assert (doubled.missing, doubled.doubled) == (0, 1)
    lost = live(World(random.Random(seed), never=frozenset({3})), 1, seed)
    assert (lost.missing, lost.doubled) == (1, 0)
    # A restart does not make it forget: the registers lack it still.
    again = live(World(random.Random(seed), never=frozenset({3})), 2, seed)
    assert again.missing == 1


def test_more_can_never_be_on_its_way_than_the_next_canary_sends_again() -> None:
    assert ROUND_EVENTS == 8, "a canary of before may have left eight: never fewer"
