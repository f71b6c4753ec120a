"""PURE. Curves and ranking of a stretch of history; the shape of `/control-room/series.json`.

Sums are decimal strings, since they may pass what a float holds; curves are rates: per second, and
of spend per hour. Fields may be added to version 1; none changes its meaning or goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from services.exporter.control_room.questions import HOUR_SECONDS, Question

#: Curves with a name; what is not among them is summed into one.
CURVES_MAX: Final = 7
RANKING_MAX: Final = 200
Amount = int | Decimal


class Ranked(NamedTuple):
    """One name's sum over the stretch; `names` and `all_amounts` are of all names together."""

    name: str
    amount: Amount
    names: int
    all_amounts: Amount


class CurveRow(NamedTuple):
    """What one name had in one step; of all that are not named, together, `named` is False."""

    at: int
    named: bool
    name: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Place:
    """One name of the ranking."""

    name: str
    amount: str
    share: float


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve; None before the first and after the last usage of all."""

    name: str
    values: list[float | None]
    #: How many names it is the sum of; 1 is the one of that name itself.
    sum_of: int = 1


@dataclass(frozen=True, slots=True)
class Series:
    """The answer. `begin`, `end` and `times` (starts of steps) are Unix seconds."""

    generated_at: float
    begin: int
    end: int
    step_seconds: int
    measure: str
    #: What one point counts: tokens or requests a second, or money an hour in this currency.
    unit: str
    currency: str
    by: str
    region: str
    provider: str
    model: str
    times: list[int]
    #: All together, and its sum.
    values: list[float | None]
    amount: str
    #: Mean over the whole stretch, and the highest step (of equal ones the first).
    average: float
    peak: float | None
    peak_at: int | None
    curves: list[Curve] = field(default_factory=list)
    #: The first `RANKING_MAX` by amount, of so many names.
    ranking: list[Place] = field(default_factory=list)
    names: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class Name:
    """A region, provider or model."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Names:
    """The first names that have a text in them, most tokens first."""

    find: str
    names: list[Name]
    version: int = 1


def series(
    question: Question, ranked: Sequence[Ranked], rows: Sequence[CurveRow], now: float
) -> Series:
    """Draw the curves of the first names, and one of the rest."""
    per = HOUR_SECONDS if question.measure == "spend" else 1
    seconds = question.step_seconds / per
    times = list(range(question.begin, question.end, question.step_seconds))
    order = sorted(ranked, key=lambda row: (-row.amount, row.name))
    known = sorted({row.at for row in rows})
    parts: dict[tuple[bool, str], dict[int, Amount]] = {}
    totals: dict[int, Amount] = {}
    for row in rows:
        parts.setdefault((row.named, row.name), {})[row.at] = row.amount
        totals[row.at] = totals.get(row.at, 0) + row.amount

    def curve(amounts: dict[int, Amount]) -> list[float | None]:
        if not known:
            return [None] * len(times)
        return [
            round(float(amounts.get(at, 0)) / seconds, 6) if known[0] <= at <= known[-1] else None
            for at in times
        ]

    named = [row.name for row in order[:CURVES_MAX]]
    curves = [Curve(name, curve(parts.get((True, name), {}))) for name in named]
    names = order[0].names if order else 0
    if names > len(named):
        curves.append(Curve("", curve(parts.get((False, ""), {})), names - len(named)))
    highest = max(totals, key=lambda at: (totals[at], -at), default=None)
    amount = sum(totals.values())
    return Series(
        generated_at=now,
        begin=question.begin,
        end=question.end,
        step_seconds=question.step_seconds,
        measure=question.measure,
        unit="per_hour" if question.measure == "spend" else "per_second",
        currency=question.currency,
        by=question.by,
        region=question.region,
        provider=question.provider,
        model=question.model,
        times=times,
        values=curve(totals),
        amount=text(amount),
        average=float(amount) / ((question.end - question.begin) / per),
        peak=None if highest is None else round(float(totals[highest]) / seconds, 6),
        peak_at=highest,
        curves=curves,
        ranking=[_place(row) for row in order],
        names=names,
    )


def _place(row: Ranked) -> Place:
    share = float(row.amount) / float(row.all_amounts) if row.all_amounts else 0.0
    return Place(row.name, text(row.amount), share)


def text(amount: Amount) -> str:
    """An amount with all its digits, and no exponent."""
    return f"{amount:f}" if isinstance(amount, Decimal) else str(amount)
