"""PURE. What a viewer may ask of history: a stretch of time, a measure, what to tell apart.

Whatever is asked, the answer has at most `POINTS_MAX` times, and minutes are read of two days at
most: longer stretches are made of hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

MINUTE_SECONDS: Final = 60
HOUR_SECONDS: Final = 3_600
DAY_SECONDS: Final = 86_400
#: (up to which span, by steps of): minutes first, then hours; none has more points than the most.
STEPS: Final = (
    (12 * HOUR_SECONDS, MINUTE_SECONDS),
    (2 * DAY_SECONDS, 5 * MINUTE_SECONDS),
    (31 * DAY_SECONDS, HOUR_SECONDS),
    (186 * DAY_SECONDS, 6 * HOUR_SECONDS),
    (402 * DAY_SECONDS, DAY_SECONDS),
)
POINTS_MAX: Final = max(span // step for span, step in STEPS) + 1
#: How long the meter keeps minutes and hours.
MINUTES_KEPT_SECONDS: Final = 90 * DAY_SECONDS
HOURS_KEPT_SECONDS: Final = 400 * DAY_SECONDS
#: Charges are worked out when they are asked for, which costs more than a sum of tokens.
SPEND_SPAN_MAX_SECONDS: Final = 93 * DAY_SECONDS
SPAN_UNITS: Final = {"m": MINUTE_SECONDS, "h": HOUR_SECONDS, "d": DAY_SECONDS}
KINDS: Final = ("region", "provider", "model")
MEASURES: Final = (
    *("tokens", "input_tokens", "output_tokens", "requests", "failed_requests", "spend"),
)
NAME_LENGTH_MAX: Final = 512
#: What the database's clock can write.
TIME_MAX: Final = 2**32 - 1


class BadQuestion(Exception):
    """A parameter that cannot be answered: `parameter` names it, the text says what it may be."""

    def __init__(self, parameter: str, text: str) -> None:
        super().__init__(f"{parameter}: {text}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Question:
    """One question about history; times are Unix seconds, multiples of the step."""

    begin: int
    end: int
    step_seconds: int
    by: str
    measure: str
    #: Of spend, ISO 4217; empty for all other measures.
    currency: str
    #: Names that all that is counted must have; empty is any.
    region: str
    provider: str
    model: str

    @property
    def of_hours(self) -> bool:
        """Whether hours can answer it, which are kept longer and are fewer than minutes."""
        return self.step_seconds % HOUR_SECONDS == 0


@dataclass(frozen=True, slots=True)
class NameQuestion:
    """Which regions, providers and models have a text in their name."""

    find: str


def question(pairs: Iterable[tuple[str, str]], closed: int) -> Question:
    """Read the parameters; ``closed`` is the end of the newest closed minute.

    Raises `BadQuestion`.
    """
    known = ("last", "from", "to", "by", "measure", "currency", *KINDS)
    given = _once(pairs, known)
    measure = _choice(given, "measure", MEASURES)
    begin, end = _span(given, closed)
    # Minutes are dropped after so long; a short stretch of longer ago is told by hours.
    step = _step(end - begin, only_hours=begin < closed - MINUTES_KEPT_SECONDS)
    if measure == "spend":
        step = max(step, HOUR_SECONDS)
        if end - begin > SPEND_SPAN_MAX_SECONDS:
            raise BadQuestion("from", "spend is told of 93 days at most: ask for a shorter stretch")
    begin, end = begin // step * step, end // step * step
    if begin >= end:
        what = {MINUTE_SECONDS: "minute", HOUR_SECONDS: "hour"}.get(step, f"{step} seconds")
        raise BadQuestion("from", f"no {what} between from and to has ended yet")
    names = {kind: _name(given, kind) for kind in KINDS}
    by = _choice(given, "by", KINDS)
    return Question(begin, end, step, by, measure, _currency(given, measure), **names)


def name_question(pairs: Iterable[tuple[str, str]]) -> NameQuestion:
    """Read the parameters of a search for names. Raises `BadQuestion`."""
    return NameQuestion(_name(_once(pairs, ("find",)), "find"))


def _once(pairs: Iterable[tuple[str, str]], known: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise BadQuestion(name[:40], f"is no parameter; there are {', '.join(known)}")
        if name in given:
            raise BadQuestion(name, "is given twice")
        given[name] = value
    return given


def _choice(given: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = given.get(name, choices[0])
    if value not in choices:
        raise BadQuestion(name, f"is one of {', '.join(choices)}")
    return value


def _name(given: Mapping[str, str], name: str) -> str:
    value = given.get(name, "")
    if len(value) > NAME_LENGTH_MAX or "\x00" in value:
        raise BadQuestion(name, f"is a name of at most {NAME_LENGTH_MAX} characters")
    return value


def _currency(given: Mapping[str, str], measure: str) -> str:
    if measure != "spend":
        if "currency" in given:
            raise BadQuestion("currency", "is for measure=spend only")
        return ""
    value = given.get("currency", "USD")
    if not re.fullmatch(r"[A-Z]{3}", value, re.ASCII):
        raise BadQuestion("currency", "is three capital letters, such as USD")
    return value


def _span(given: Mapping[str, str], closed: int) -> tuple[int, int]:
    if "last" in given:
        if "from" in given or "to" in given:
            raise BadQuestion("last", "stands alone: without from and to")
        found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", given["last"], re.ASCII)
        if not found:
            raise BadQuestion("last", "is a number of minutes, hours or days: 90m, 3h, 7d")
        begin, end = closed - int(found[1]) * SPAN_UNITS[found[2]], closed
    else:
        end = min(_time(given["to"], "to"), closed) if "to" in given else closed
        begin = _time(given["from"], "from") if "from" in given else end - 3 * HOUR_SECONDS
        if begin >= end:
            raise BadQuestion("from", "is not before to, and not before now")
    if begin < closed - HOURS_KEPT_SECONDS - DAY_SECONDS:
        named = "last" if "last" in given else "from"
        raise BadQuestion(named, "hours are kept for 400 days: ask for no more")
    return begin, end


def _time(text: str, name: str) -> int:
    if re.fullmatch(r"[0-9]{1,10}", text, re.ASCII):
        seconds = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or len(text) > 40:
            raise BadQuestion(name, "is a time such as 2026-11-20T08:00Z, or Unix seconds")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = int(moment.timestamp())
    if not 0 <= seconds <= TIME_MAX:
        raise BadQuestion(name, f"is between 1970 and 2106, in Unix seconds at most {TIME_MAX}")
    return seconds


def _step(span: int, *, only_hours: bool) -> int:
    for longest, step in STEPS:
        if span <= longest and not (only_hours and step < HOUR_SECONDS):
            return step
    return DAY_SECONDS
