"""What may be asked of history, what is refused, and that no question is without bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exporter.control_room.questions import (
    POINTS_MAX,
    BadQuestion,
    NameQuestion,
    Question,
    name_question,
    question,
)

NOW = 1_773_576_000 + 7 * 60  # 12:07 of a day
HOUR, DAY = 3_600, 86_400


def asked(**parameters: str) -> Question:
    return question([(name.rstrip("_"), value) for name, value in parameters.items()], NOW)


def test_the_last_three_hours_unless_said_otherwise() -> None:
    assert asked() == Question(
        NOW - 3 * HOUR, NOW, 60, "region", "tokens", "", region="", provider="", model=""
    )
    assert asked(last="3h") == asked()


@pytest.mark.parametrize(
    ("last", "step", "of_hours"),
    [("90m", 60, False), ("12h", 60, False), ("1d", 300, False), ("2d", 300, False)]
    + [("7d", HOUR, True), ("30d", HOUR, True), ("90d", 6 * HOUR, True), ("400d", DAY, True)],
)
def test_longer_stretches_have_longer_steps(last: str, step: int, of_hours: bool) -> None:
    found = asked(last=last)
    assert (found.step_seconds, found.of_hours) == (step, of_hours)
    assert found.begin % step == found.end % step == 0


def test_from_and_to_are_days_times_or_seconds_and_utc() -> None:
    day = asked(from_="2026-03-01", to="2026-03-02")
    assert (day.end - day.begin, day.begin % DAY) == (DAY, 0)
    same = asked(from_="2026-03-01T00:00Z", to="2026-03-02T08:00+08:00")
    assert same == day == asked(from_=str(day.begin), to=str(day.end))
    assert asked(from_="2026-03-01", to="2099-01-01").end <= NOW, "what is to come is left out"


def test_minutes_that_are_dropped_are_told_by_hours() -> None:
    long_ago = NOW - 91 * DAY
    assert asked(from_=str(long_ago), to=str(long_ago + 6 * HOUR)).step_seconds == HOUR


def test_spend_is_told_by_hours_and_in_one_currency() -> None:
    found = asked(measure="spend", last="3h", currency="CNY")
    assert (found.step_seconds, found.currency) == (HOUR, "CNY")
    assert asked(measure="spend").currency == "USD"


@pytest.mark.parametrize(
    ("parameter", "parameters"),
    [
        ("last", {"last": "3"}), ("last", {"last": "0h"}), ("last", {"last": "401d5"}),
        ("last", {"last": "402d"}), ("last", {"last": "3h", "to": "1"}), ("last", {"last": "٣h"}),
        ("from", {"from_": "yesterday"}), ("from", {"from_": "99999999999"}),
        ("from", {"from_": str(NOW)}), ("from", {"from_": "5", "to": "3"}),
        ("from", {"from_": "1970-01-01"}), ("from", {"from_": str(NOW - 30), "to": str(NOW - 10)}),
        ("to", {"from_": "1969-01-01", "to": "1969-01-02"}),
        ("to", {"to": "2026-13-01"}), ("to", {"to": "-1"}), ("to", {"to": ""}),
        ("by", {"by": "tenant"}), ("measure", {"measure": "money"}),
        ("currency", {"currency": "USD"}), ("currency", {"measure": "spend", "currency": "usd"}),
        ("from", {"measure": "spend", "last": "94d"}), ("region", {"region": "x" * 513}),
        ("model", {"model": "a\0b"}), ("tenant", {"tenant": "acme"}),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_by_name(
    parameter: str, parameters: dict[str, str]
) -> None:
    with pytest.raises(BadQuestion) as refused:
        asked(**parameters)
    assert refused.value.parameter == parameter


def test_nothing_twice() -> None:
    with pytest.raises(BadQuestion, match="by: is given twice"):
        question([("by", "model"), ("by", "region")], NOW)


@given(st.integers(0, 402 * DAY), st.integers(0, 402 * DAY), st.sampled_from(["tokens", "spend"]))
def test_no_answer_has_more_points_than_the_most(ago: int, until: int, measure: str) -> None:
    try:
        found = asked(from_=str(NOW - ago), to=str(NOW - until), measure=measure)
    except BadQuestion:
        return
    assert 1 <= (found.end - found.begin) // found.step_seconds <= POINTS_MAX
    assert found.end <= NOW
    minutes = 0 if found.of_hours else (found.end - found.begin) // 60
    assert minutes <= 2 * 1_440


def test_a_search_for_names() -> None:
    assert name_question([("find", "gpt")]) == NameQuestion("gpt")
    assert name_question([]) == NameQuestion("")
    with pytest.raises(BadQuestion, match="of: is no parameter; there are find"):
        name_question([("of", "tenant")])
