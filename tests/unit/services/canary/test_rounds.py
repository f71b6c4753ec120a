"""What was sent is known at each moment, also by a canary that has just started."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.canary.books import INPUT_TOKENS, ROUND_EVENTS, Metered, book, mark
from services.canary.rounds import Rounds

MISSING_SECONDS = 300.0


def held(*numbers: int, whole: int = 0) -> Metered:
    """The registers, with all events up to ``whole`` and these."""
    counted = [*range(1, whole + 1), *numbers]
    return Metered(len(counted), len(counted) * INPUT_TOKENS, sum(map(mark, counted)))


def test_a_round_is_visible_when_all_of_it_is_metered() -> None:
    rounds = Rounds(book(0), MISSING_SECONDS)
    one = rounds.begin(10)
    assert list(one.numbers) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (rounds.unacknowledged_seconds(12), rounds.unseen_seconds(12)) == (2, 0)
    rounds.acknowledge(13)
    assert (rounds.unacknowledged_seconds(14), rounds.unseen_seconds(14)) == (0, 1)
    assert rounds.read(book(7), 14) is None
    assert rounds.read(book(8), 15) == 2
    assert (rounds.unacknowledged_seconds(16), rounds.unseen_seconds(16)) == (0, 0)
    assert rounds.begin(25).first == 9
    assert (rounds.missing, rounds.doubled) == (0, 0)


def test_no_round_begins_before_the_last_is_visible() -> None:
    rounds = Rounds(book(0), MISSING_SECONDS)
    rounds.begin(0)
    with pytest.raises(AssertionError):
        rounds.begin(1)


def test_what_does_not_come_is_missing_and_found_when_it_comes() -> None:
    rounds = Rounds(book(96), MISSING_SECONDS)
    rounds.begin(0)
    rounds.acknowledge(1)
    assert rounds.read(book(101), 1 + MISSING_SECONDS) is None
    assert rounds.missing == 0
    assert rounds.read(book(101), 2 + MISSING_SECONDS) is None
    assert rounds.missing == 3
    assert rounds.read(book(104), 400) == 399
    assert rounds.missing == 0


def test_what_is_too_much_is_doubled_and_stays_so() -> None:
    rounds = Rounds(book(0), MISSING_SECONDS)
    rounds.begin(0)
    rounds.acknowledge(1)
    assert rounds.read(held(3, whole=8), 2) == 1
    assert rounds.doubled == 1
    rounds.begin(10)
    rounds.acknowledge(11)
    # The one too many does not stand for one that is still missing.
    assert rounds.read(held(3, *range(9, 16), whole=8), 12) is None
    assert rounds.read(held(3, whole=16), 13) == 2
    assert rounds.doubled == 1


def test_a_restart_says_again_what_is_doubled_until_it_is_not() -> None:
    rounds = Rounds(held(3, 5, whole=8), MISSING_SECONDS)
    one = rounds.begin(0)
    assert one.first == 9
    rounds.acknowledge(1)
    assert rounds.read(held(3, 5, whole=16), 2) == 1
    assert rounds.doubled == 2
    rounds.begin(10)
    rounds.acknowledge(11)
    assert rounds.read(book(24), 12) == 1
    assert rounds.doubled == 0


def test_a_round_that_is_taken_in_part_is_sent_again_as_a_whole() -> None:
    """Ingest took 3 and 5 of it, and the canary died before it could send it again."""
    rounds = Rounds(held(3, 5), MISSING_SECONDS)
    assert list(rounds.begin(0).numbers) == list(range(1, 9))


@pytest.mark.parametrize("number", [40, 43, 48])
def test_what_others_sent_meanwhile_is_not_doubled(number: int) -> None:
    """Its first reading was an old one, or there are two of its name."""
    rounds = Rounds(book(16), MISSING_SECONDS)
    rounds.begin(0)
    rounds.acknowledge(1)
    assert rounds.read(book(number), 2) == 1
    assert (rounds.missing, rounds.doubled) == (0, 0)
    assert rounds.begin(3).first == number // ROUND_EVENTS * ROUND_EVENTS + 1


@dataclass
class World:
    """Ingest, log and meter: an id counts once, in whatever order, but for what is done to it."""

    chance: random.Random
    on_its_way: set[int] = field(default_factory=set)
    counted: Counter[int] = field(default_factory=Counter)
    #: Known to the meter as counted, whatever the registers say.
    seen: set[int] = field(default_factory=set)
    #: What was acknowledged and never came to the meter.
    vanished: set[int] = field(default_factory=set)

    def send(self, numbers: Iterable[int]) -> None:
        self.on_its_way |= set(numbers)

    def take(self, numbers: Iterable[int]) -> None:
        for number in set(numbers) & self.on_its_way:
            self.on_its_way.discard(number)
            if number not in self.seen:
                self.seen.add(number)
                self.counted[number] += 1

    def take_some(self) -> None:
        self.take({number for number in self.on_its_way if self.chance.random() < 0.5})

    def double(self, many: int) -> None:
        """Count so many again, one after the other as a batch has them."""
        last = self.chance.choice(sorted(self.seen))
        for number in range(max(1, last - many + 1), last + 1):
            self.counted[number] += 1

    def lose(self) -> None:
        """Take one out of the registers that was counted, and that is known as counted."""
        number = self.chance.choice(sorted(self.counted.elements()))
        self.counted[number] -= 1

    def metered(self) -> Metered:
        return held(*self.counted.elements())


@dataclass
class Life:
    """A canary that lives in a world, and whether it ever said that something is wrong."""

    world: World
    now: float
    said: bool = False

    def __post_init__(self) -> None:
        first = self.world.metered()
        self.rounds = Rounds(first, MISSING_SECONDS)
        self.hear(first)

    def hear(self, metered: Metered) -> None:
        found = (self.rounds.missing, self.rounds.doubled, metered.difference_tokens)
        self.said = self.said or found != (0, 0, (0, 0))

    def read(self) -> bool:
        """Read once; say whether the round is visible."""
        metered = self.world.metered()
        age = self.rounds.read(metered, self.now)
        self.hear(metered)
        return age is not None

    def live(self, rounds: int, *, until_death: bool) -> None:
        """So many rounds; it may die at each step of each, and does if nothing comes any more."""
        chance = self.world.chance
        for _ in range(rounds):
            one = self.rounds.begin(self.now)
            for _ in range(chance.randint(0, 2)):
                # Ingest takes a part, and answers that it is to be sent again, or nothing.
                self.world.send(number for number in one.numbers if chance.random() < 0.6)
                if until_death and chance.random() < 0.25:
                    return
                self.world.take_some()
            self.world.send(one.numbers)
            self.rounds.acknowledge(self.now)
            while True:
                if until_death and chance.random() < 0.15:
                    return
                self.now += 1
                if chance.random() < 0.3:
                    self.world.take_some()
                elif chance.random() < 0.2:
                    self.world.take(self.world.on_its_way - self.world.vanished)
                if self.read():
                    break
                waited = self.rounds.unseen_seconds(self.now)
                if waited > 200:
                    self.world.take(self.world.on_its_way - self.world.vanished)
                if waited > MISSING_SECONDS + 5:
                    return


def lives(world: World, many: int) -> Iterable[Life]:
    """Canaries of one name, one after the other: each dies somewhere, the last at its end."""
    now = 0.0
    for life in range(many):
        one = Life(world, now)
        one.live(world.chance.randint(1, 4), until_death=life < many - 1)
        yield one
        now = one.now + 5
        if world.chance.random() < 0.5:
            world.take_some()


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_no_life_and_no_death_makes_a_false_alarm(seed: int, many: int) -> None:
    world = World(random.Random(seed))
    for life in lives(world, many):
        assert not life.said
    assert world.metered() == book(life.rounds.begin(0).first - 1)


def settled(seed: int) -> tuple[World, Life]:
    """A world that canaries have lived and died in, and all is counted that was on its way."""
    world = World(random.Random(seed))
    return world, [*lives(world, world.chance.randint(1, 3))][-1]


@given(st.integers(0, 2**32), st.integers(1, 24), st.integers(1, 3))
def test_what_is_counted_twice_is_said_by_every_later_life(
    seed: int, doubled: int, many: int
) -> None:
    """While nobody looks, in whatever number, whole rounds too; no restart forgets it."""
    world, _ = settled(seed)
    world.double(doubled)
    assert all(life.said for life in lives(world, many))


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_what_the_registers_lose_is_said_by_who_lives_long_enough(seed: int, many: int) -> None:
    """Of the last round it may as well be late: that is waited for."""
    world, _ = settled(seed)
    world.lose()
    assert [*lives(world, many)][-1].said


@given(st.integers(0, 2**32))
def test_a_loss_and_a_double_do_not_make_up_for_each_other(seed: int) -> None:
    world, _ = settled(seed)
    world.lose()
    lost = next(number for number, times in world.counted.items() if times == 0)
    twice = world.chance.choice(sorted(world.seen - {lost}))
    world.counted[twice] += 1
    life = Life(world, 0.0)
    life.live(2, until_death=False)
    assert life.said


@given(st.integers(0, 2**32), st.integers(0, 7))
def test_an_event_that_is_acknowledged_and_never_comes_is_missing(seed: int, which: int) -> None:
    world, _ = settled(seed)
    life = Life(world, 0.0)
    vanishing = world.metered().whole + 1 + which
    world.vanished = {vanishing}
    one = life.rounds.begin(0)
    world.send(set(one.numbers) - world.vanished)
    life.rounds.acknowledge(0)
    world.take(one.numbers)
    life.now = MISSING_SECONDS + 1
    assert not life.read()
    assert (life.rounds.missing, life.rounds.doubled) == (1, 0)
    # The next life has no memory of what was acknowledged: it sends the event again.
    world.vanished = set()
    again = Life(world, life.now)
    again.live(2, until_death=False)
    assert not again.said


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_an_old_reading_at_the_start_makes_no_false_alarm(seed: int, old: int) -> None:
    world, _ = settled(seed)
    rounds = Rounds(book(max(0, world.metered().events - old)), MISSING_SECONDS)
    for now in range(3):
        world.send(rounds.begin(now).numbers)
        rounds.acknowledge(now)
        world.take(world.on_its_way)
        assert rounds.read(world.metered(), now) is not None
        assert (rounds.missing, rounds.doubled) == (0, 0)


def test_a_round_is_never_of_another_size() -> None:
    assert ROUND_EVENTS == 8, "numbers belong to rounds: a canary of before has sent some of one"
