"""No counter falls, whatever the database says and whenever the exporter dies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.exporter.counters import Counters, Shown
from services.exporter.heights_file import NAME, HeightsFile
from services.exporter.rows import REGISTER_COLUMNS, CheckpointRow, RegisterRow, Series
from services.exporter.series import OTHER
from tests.versions.effort import examples

INPUT = REGISTER_COLUMNS.index("input_tokens")


def rows(tokens: dict[str, int]) -> list[RegisterRow]:
    return [
        RegisterRow(
            Series("eu", "p", model),
            tuple(amount if number == INPUT else 0 for number in range(len(REGISTER_COLUMNS))),
        )
        for model, amount in tokens.items()
    ]


def checkpoint(received: int) -> list[CheckpointRow]:
    return [CheckpointRow("log", 0, "t", 0, received, received, 0, 0, {}, 0, 0)]


def tokens(shown: Shown) -> dict[str, int]:
    return {series.model: totals[INPUT] for series, totals in shown.series.items()}


class Exporter:
    """One process after the other over one folder; a clock that stands still until told."""

    def __init__(self, folder: Path | None, max_series: int = 2, least_seconds: float = 2) -> None:
        self.now = 100.0
        self.file = HeightsFile(folder)
        self.counters = Counters(max_series, self.file, least_seconds, lambda: self.now)

    def show(self, registers: dict[str, int] | None, received: int | None = 0) -> Shown:
        self.now += 10
        return self.counters.rise(
            None if registers is None else rows(registers),
            None if received is None else checkpoint(received),
        )

    def die(self) -> None:
        self.file.close()


def test_a_restart_after_a_restore_lets_no_counter_fall(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path)
    exporter.show({"a": 10, "b": 5, "c": 3, "d": 1}, received=30)
    exporter.die()
    again = Exporter(tmp_path).show({"a": 4, "d": 1}, received=7)
    assert tokens(again) == {"a": 10, "b": 5, "other": 4}
    assert again.counts[("wattoken_events_received_total",)] == (30,)
    assert (again.held_series, again.held_counts, again.kept) == (3, 2, True)


def test_heights_outlive_a_scrape_that_reads_only_a_part(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path)
    exporter.show({"a": 10}, received=30)
    exporter.die()
    # Its first scrapes find no registers, and its first life ends with that.
    exporter = Exporter(tmp_path)
    exporter.show(None, received=31)
    exporter.show(None, None)
    exporter.die()
    again = Exporter(tmp_path).show({"a": 1}, received=1)
    assert tokens(again) == {"a": 10}
    assert again.counts[("wattoken_events_received_total",)] == (31,)


def test_other_falls_neither_with_a_higher_limit_nor_with_a_lower(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path, max_series=2)
    assert tokens(exporter.show({"a": 10, "b": 5, "c": 3})) == {"a": 10, "b": 5, "other": 3}
    exporter.die()
    exporter = Exporter(tmp_path, max_series=4)
    grown = {"a": 10, "b": 5, "c": 300, "late": 1}
    # What is part of "other" stays; places that are left are for what comes from now on.
    assert tokens(exporter.show(grown)) == {"a": 10, "b": 5, "other": 301}
    assert tokens(exporter.show({**grown, "new": 7})) == {"a": 10, "b": 5, "new": 7, "other": 301}
    exporter.die()
    exporter = Exporter(tmp_path, max_series=1)
    assert tokens(exporter.show({**grown, "new": 7})) == {"a": 10, "other": 313}


def test_a_scrape_that_comes_too_soon_shows_what_is_on_disk(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path, least_seconds=2)
    exporter.show({"a": 1})
    written = (tmp_path / NAME).read_bytes()
    exporter.now += 1.5
    soon = exporter.counters.rise(rows({"a": 2, "new": 5}), checkpoint(3))
    assert tokens(soon) == {"a": 1}
    assert (tmp_path / NAME).read_bytes() == written
    exporter.now += 0.5
    assert tokens(exporter.counters.rise(rows({"a": 2}), checkpoint(3))) == {"a": 2}
    assert (tmp_path / NAME).read_bytes() != written


def test_nothing_is_written_when_nothing_rose(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path)
    exporter.show({"a": 1})
    before = (tmp_path / NAME).stat().st_ino
    exporter.show({"a": 1})
    assert (tmp_path / NAME).stat().st_ino == before


def test_without_a_folder_every_scrape_shows_the_newest() -> None:
    exporter = Exporter(None)
    assert tokens(exporter.show({"a": 1})) == {"a": 1}
    shown = exporter.counters.rise(rows({"a": 2}), checkpoint(1))
    assert (tokens(shown), shown.kept) == ({"a": 2}, False)


def test_a_disk_that_refuses_is_told_and_the_counters_go_on(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    exporter = Exporter(blocked)
    assert not exporter.show({"a": 1}).kept
    assert tokens(exporter.show({"a": 2})) == {"a": 2}
    blocked.unlink()
    assert exporter.show({"a": 3}).kept


class _PowerCut(BaseException):
    """The end of a process in the middle of a write."""


#: What happens next: a scrape of these registers and this many received; or the process's end
#: after so many of the operations of the next write; or a limit for the next start.
_scrapes = st.tuples(
    st.none() | st.dictionaries(st.sampled_from("abcde"), st.integers(0, 50), max_size=5),
    st.none() | st.integers(0, 50),
    st.booleans(),
)
_steps = st.lists(
    st.one_of(_scrapes, st.integers(0, 3), st.sampled_from(["limit 1", "limit 3", "restart"])),
    max_size=30,
)


def test_a_name_lost_to_a_lower_limit_comes_back_no_lower(tmp_path: Path) -> None:
    first = Exporter(tmp_path, max_series=2)
    assert tokens(first.show({"a": 5, "b": 7})) == {"a": 5, "b": 7}
    first.die()
    # Its scrapes find no registers, so nobody has been put under "other" when it ends.
    lower = Exporter(tmp_path, max_series=1)
    assert len(tokens(lower.show(None))) == 1
    lower.die()
    # What a backup says that was restored meanwhile.
    again = Exporter(tmp_path, max_series=3).show({"a": 1, "b": 1})
    assert tokens(again) == {"a": 5, "b": 7}


@settings(max_examples=examples(300), deadline=None)
@given(_steps)
def test_whenever_it_dies_no_counter_falls(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        _live_through(Path(name), steps)


def _live_through(folder: Path, steps: list[Any]) -> None:
    limit, cut_after = 2, -1
    exporter = Exporter(folder, limit)
    highest: dict[str, int] = {}
    received = 0
    for step in steps:
        if isinstance(step, int):
            cut_after = step
        elif isinstance(step, str):
            limit = int(step.split()[1]) if step != "restart" else limit
            exporter.die()
            exporter = Exporter(folder, limit)
        else:
            registers, count, soon = step
            exporter.now -= 9.5 if soon else 0
            try:
                shown = _scraped(exporter, registers, count, cut_after)
            except _PowerCut:
                exporter.die()
                exporter = Exporter(folder, limit)
                continue
            finally:
                cut_after = -1
            now = tokens(shown) if registers is not None else {}
            assert shown.kept
            for model, value in now.items():
                assert value >= highest.get(model, 0), (model, highest)
                highest[model] = value
            if count is not None and shown.counts:
                (seen,) = shown.counts[("wattoken_events_received_total",)]
                assert seen >= received
                received = seen
            assert OTHER.model not in now or len(now) <= limit + 1


def _scraped(
    exporter: Exporter, registers: dict[str, int] | None, count: int | None, cut_after: int
) -> Shown:
    """Scrape; the process dies before the n-th of: open, sync, rename, sync of the folder."""
    done = 0

    def counted(call: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            if done == cut_after:
                raise _PowerCut
            done += 1
            return call(*arguments, **options)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counted(os.fsync))
        patch.setattr(Path, "replace", counted(Path.replace))
        return exporter.show(registers, count)
