"""The slice protocol under random schedules: the real meter, flusher, recovery, agent and id store.

Consumption, flushes, recoveries, look-ups and rebalances are tasks of their own, of several workers
at once, and hypothesis draws in which order all that they wait for happens, fails, or kills them
(`tests.property.concurrent`). Rows and checkpoints are judged as they are written; at the end of
each schedule everything must be metered, every view must equal plain sums over the logs, and
nothing may be held that nobody needs.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.planted.bugs import BUGS
from tests.property.concurrent.found import FOUND_BY, HELD_ELSEWHERE
from tests.property.concurrent.hunt import hunt
from tests.property.concurrent.planted import PLANTED
from tests.property.concurrent.planting import MisfitError, plant
from tests.property.concurrent.profile import THEMES, byte_of
from tests.property.concurrent.schedule import EVENTS, SCHEDULE_BYTES, model, run_schedule
from tests.versions.effort import examples

#: An eighth of a second each.
EXAMPLES = examples(int(os.environ.get("WATTOKEN_PROPERTY_EXAMPLES", "100")))
#: A change of the code changes what a schedule comes to: then one of so many behind it must do.
TRIES = 200


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("theme", [None, "copies"])
def test_every_schedule_ends_exact(tmp_path: Path, theme: str | None) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=SCHEDULE_BYTES, max_size=SCHEDULE_BYTES))
    def ends_exact(data: bytes) -> None:
        if theme is not None:
            data = bytes([byte_of(theme)]) + data[1:]
        run_schedule(data, tmp_path / "world")

    with model():
        ends_exact()


def test_what_themes_weigh_can_happen() -> None:
    assert {name for events in THEMES.values() for name in events} == EVENTS.keys() - {"work"}


def test_a_schedule_is_the_same_each_time(tmp_path: Path) -> None:
    """The same bytes give the same run, or no failure could be looked at again."""
    data = random.Random(7).randbytes(SCHEDULE_BYTES)
    with model():
        told = [run_schedule(data, tmp_path / "world") for _ in range(2)]
    assert told[0] == told[1]
    assert len(told[0]) > 20


@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", FOUND_BY)
def test_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    """And the schedule that shows it ends well without it: `hunt` sees to that."""
    found = hunt(bug, FOUND_BY[bug], TRIES, tmp_path / "world")
    assert found is not None, f"make schedules SCHEDULES_ARGS='--planted \"{bug}\"'"


@pytest.mark.parametrize("bug", PLANTED)
def test_bug_can_be_planted(bug: str) -> None:
    """A bug whose text is gone has to be planted again, also one that is not hunted here."""
    with pytest.MonkeyPatch.context() as patch:
        plant(PLANTED[bug], patch)


def test_each_bug_is_found_here_or_elsewhere() -> None:
    assert {*FOUND_BY, *HELD_ELSEWHERE} == set(PLANTED)
    assert not set(FOUND_BY) & set(HELD_ELSEWHERE)
    assert {held for held, _ in HELD_ELSEWHERE.values()} <= {bug.name for bug in BUGS}


def test_a_bug_that_does_not_fit_the_code_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = PLANTED["dedup off"][0]
    gone = (replace(edit, old="if there_is_no_such_text:"),)
    monkeypatch.setitem(PLANTED, "dedup off", gone)
    with pytest.raises(MisfitError, match="plant the bug again"):
        hunt("dedup off", 0, 1, tmp_path / "world")
    crash = (replace(edit, new="None.no_such_name\n    if True:"),)
    monkeypatch.setitem(PLANTED, "dedup off", crash)
    with pytest.raises(MisfitError, match="breaks the code"):
        hunt("dedup off", 0, 20, tmp_path / "world")
