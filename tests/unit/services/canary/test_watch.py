"""The canary's life among services that come and go, without any of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from services.canary.books import INPUT_TOKENS, Metered, mark
from services.canary.errors import AttemptError
from services.canary.metrics import CanaryMetrics
from services.canary.watch import POLL_SLOWLY_SECONDS, Watch

NAME = "wattoken-canary"
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)


class World:
    """Ingest, meter, exporter and time at once."""

    def __init__(self, *, visible_after: float = 2.0) -> None:
        self.now = 1000.0
        self.visible_after = visible_after
        #: When each id was metered: one time or more.
        self.metered: dict[str, float] = {}
        self.twice: list[int] = []
        self.refusals: list[AttemptError] = []
        self.unreadable: list[AttemptError] = []
        self.bodies: list[bytes] = []
        self.waits: list[float] = []
        self.lost: set[str] = set()

    def send(self, body: bytes) -> None:
        self.bodies.append(body)
        if self.refusals:
            raise self.refusals.pop(0)
        for line in body.splitlines():
            self.metered.setdefault(json.loads(line)["id"], self.now + self.visible_after)

    def read(self) -> Metered:
        if self.unreadable:
            raise self.unreadable.pop(0)
        numbers = [
            *(
                int(number)
                for number, at in self.metered.items()
                if at <= self.now and number not in self.lost
            ),
            *self.twice,
        ]
        return Metered(len(numbers), len(numbers) * INPUT_TOKENS, sum(map(mark, numbers)))


def watched(world: World, until: Callable[[World], bool]) -> tuple[CanaryMetrics, Watch]:
    """Let a canary live in a world until something is so."""
    metrics = CanaryMetrics()
    watch = Watch(
        *(NAME, world, world, metrics),
        round_seconds=15,
        missing_seconds=300,
        monotonic=lambda: world.now,
        now=lambda: NOW,
    )

    def wait(seconds: float) -> bool:
        assert seconds >= 0
        world.now += seconds
        world.waits.append(seconds)
        if until(world):
            watch.stop()
            return True
        return False

    watch.wait = wait
    watch.run()
    return metrics, watch


def value(metrics: CanaryMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"wattoken_canary_{name}", labels)


def test_rounds_follow_one_another_at_their_pace() -> None:
    world = World()
    metrics, _ = watched(world, lambda world: world.now >= 1000 + 4 * 15)
    assert len(world.bodies) == 4
    for name in ("sent", "acknowledged", "visible"):
        assert value(metrics, f"{name}_events_total") == 32
    assert value(metrics, "freshness_seconds_count") == 32
    assert value(metrics, "freshness_seconds_sum") == 32 * 2
    assert value(metrics, "missing_events") == value(metrics, "doubled_events") == 0
    (event, *_) = (json.loads(line) for line in world.bodies[1].splitlines())
    assert event == {
        **{"id": "9", "time": "2026-03-01T12:00:00.250Z"},
        **dict.fromkeys(("tenant", "source", "region", "provider", "model"), NAME),
        **{"input_tokens": INPUT_TOKENS, "output_tokens": mark(9)},
    }


def test_what_was_not_acknowledged_is_sent_again_byte_for_byte() -> None:
    world = World()
    world.refusals = [
        AttemptError("ingest_unreachable", "no answer"),
        AttemptError("ingest_unavailable", "503"),
    ]
    metrics, _ = watched(world, lambda world: world.now >= 1010)
    assert len(world.bodies) == 3
    assert len(set(world.bodies)) == 1
    assert value(metrics, "sent_events_total") == value(metrics, "acknowledged_events_total") == 8
    assert value(metrics, "failed_attempts_total", what="ingest_unreachable") == 1
    assert value(metrics, "failed_attempts_total", what="ingest_unavailable") == 1
    assert value(metrics, "failed_attempts_total", what="ingest_refuses") == 0


def test_pauses_between_failed_attempts_grow_and_are_bounded() -> None:
    world = World()
    world.refusals = [AttemptError("ingest_unreachable", "no answer")] * 9
    metrics, watch = watched(world, lambda world: len(world.bodies) == 9)
    assert world.waits[:9] == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert watch.rounds is not None
    assert value(metrics, "oldest_unacknowledged_seconds") == sum(world.waits[:9])


def test_it_waits_until_the_registers_can_be_read() -> None:
    world = World()
    world.metered = {str(number): 0.0 for number in range(1, 25)}
    world.unreadable = [AttemptError("registers_unread", "no")] * 2
    metrics, watch = watched(world, lambda world: bool(world.bodies))
    assert json.loads(world.bodies[0].splitlines()[0])["id"] == "25"
    assert watch.unready() is None
    assert value(metrics, "failed_attempts_total", what="registers_unread") == 2
    assert Watch(
        *(NAME, world, world, CanaryMetrics()), round_seconds=1, missing_seconds=10
    ).unready()


def test_an_event_that_is_lost_is_missing_and_sends_no_more() -> None:
    world = World()
    world.lost = {"11"}
    metrics, _ = watched(world, lambda world: world.now >= 1500)
    assert value(metrics, "missing_events") == 1
    assert value(metrics, "visible_events_total") == 8
    assert value(metrics, "sent_events_total") == 16
    age = value(metrics, "oldest_unseen_seconds")
    assert age is not None
    assert age >= 480
    assert world.waits[-2] == POLL_SLOWLY_SECONDS


def test_what_is_counted_twice_is_found() -> None:
    world = World()

    def one_too_many(world: World) -> bool:
        world.twice = [3]
        return world.now >= 1040

    metrics, _ = watched(world, one_too_many)
    assert value(metrics, "doubled_events") == 1
    assert value(metrics, "missing_events") == 0
    visible = value(metrics, "visible_events_total")
    assert visible is not None
    assert visible >= 16, "it goes on"
    difference = value(metrics, "difference_tokens", kind="output")
    assert difference is not None
    assert difference != 0
    assert value(metrics, "difference_tokens", kind="input") == 0


def test_tokens_that_do_not_fit_the_events_are_shown() -> None:
    class Wrong(World):
        def read(self) -> Metered:
            right = super().read()
            return Metered(right.events, right.input_tokens + 5, right.output_tokens - 1)

    metrics, _ = watched(Wrong(), lambda world: world.now >= 1010)
    assert value(metrics, "difference_tokens", kind="input") == 5
    assert value(metrics, "difference_tokens", kind="output") == -1


def test_a_restart_says_at_once_what_is_wrong_in_the_registers() -> None:
    world = World()
    world.metered = {str(number): 0.0 for number in range(1, 25)}
    # A whole round: as many as if another one had been sent.
    world.twice = [*range(17, 25)]
    metrics, _ = watched(world, lambda world: len(world.bodies) == 1)
    assert json.loads(world.bodies[0].splitlines()[0])["id"] == "33"
    due = sum(map(mark, range(17, 25))) - sum(map(mark, range(25, 33)))
    assert due != 0
    assert value(metrics, "difference_tokens", kind="output") == due
    world.twice = []
    world.metered = {str(number): 0.0 for number in range(1, 25)}
    metrics, _ = watched(world, lambda world: len(world.bodies) == 2)
    assert value(metrics, "difference_tokens", kind="output") == 0


def test_it_stops_while_nothing_answers() -> None:
    world = World()
    world.unreadable = [AttemptError("exporter_unreachable", "no")] * 100
    _, watch = watched(world, lambda world: world.now > 1020)
    assert watch.rounds is None
    world = World(visible_after=1e9)
    _, watch = watched(world, lambda world: world.now > 1020)
    assert watch.rounds is not None
    assert watch.rounds.under_way is not None
