"""A bar on a terminal, a line now and then in a file; a first signal asks, a second one ends."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rich.console import Console

from services.platform import progress
from services.platform.progress import LINE_EVERY_SECONDS, ProgressShown, stopped_by_signals


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=hand))
    return hand


def test_in_a_file_there_is_a_line_now_and_then(clock: Hand) -> None:
    out = io.StringIO()
    with ProgressShown("new events", 5_000, Console(file=out)) as bar:
        bar.update(1)
        assert out.getvalue() == "", "what is quick says nothing"
        clock.now += LINE_EVERY_SECONDS
        bar.update(1_234)
        bar.update(1_235)
        clock.now += LINE_EVERY_SECONDS
        bar.update(4_000)
    assert out.getvalue() == "new events: 1,234 of 5,000\nnew events: 4,000 of 5,000\n"


def test_a_total_may_be_unknown_and_may_change(clock: Hand) -> None:
    out = io.StringIO()
    with ProgressShown("records metered", None, Console(file=out)) as bar:
        for done, total in ((1, None), (2, 9), (3, None)):
            clock.now += LINE_EVERY_SECONDS
            bar.update(done, total)
    assert out.getvalue().splitlines() == [
        "records metered: 1",
        "records metered: 2 of 9",
        "records metered: 3 of 9",
    ]


def test_on_a_terminal_there_is_a_bar_that_ends_where_the_work_did() -> None:
    out = io.StringIO()
    shown = Console(file=out, force_terminal=True, color_system=None, width=100)
    with ProgressShown("new events", 10, shown) as bar:
        bar.update(7)
        bar.update(8, 20)
    last = out.getvalue().rsplit("\x1b[2K", 1)[1]
    assert "new events" in last
    assert " 8/20 " in last
    # Left hidden, the cursor would be gone from the person's shell.
    assert last.endswith("\x1b[?25h")


def test_a_bar_is_put_away_when_the_work_fails() -> None:
    out = io.StringIO()
    shown = Console(file=out, force_terminal=True, width=100)
    with pytest.raises(ValueError), ProgressShown("new events", 10, shown):
        raise ValueError
    assert out.getvalue().endswith("\x1b[?25h")


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals that came to whoever handled them before: to the test, or they would end it."""
    got: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda one, _: got.append(one)) for number in numbers]
    yield got
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop_and_the_second_interrupts(
    heard: list[int], first: signal.Signals, second: signal.Signals
) -> None:
    with pytest.raises(KeyboardInterrupt), stopped_by_signals() as stop:
        assert not stop.is_set()
        signal.raise_signal(first)
        assert stop.is_set()
        signal.raise_signal(second)
    assert heard == []


def test_afterwards_signals_go_where_they_went_before(heard: list[int]) -> None:
    with pytest.raises(ValueError), stopped_by_signals():
        raise ValueError
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGINT, signal.SIGTERM]


def test_a_title_that_others_chose_is_shown_as_it_is() -> None:
    for terminal in (True, False):
        screen = Console(file=io.StringIO(), force_terminal=terminal, width=120)
        with ProgressShown("a[/]b\x1b[2J[red]x", 2, screen) as bar:
            bar._line_at = 0.0
            bar.update(1)
        shown = screen.file.getvalue()  # type: ignore[attr-defined]
        assert r"a[/]b\x1b[2J[red]x" in shown
