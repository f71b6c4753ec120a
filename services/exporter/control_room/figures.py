"""PURE. Rows of the views turned into the figures of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.exporter.control_room.document import (
    Capacities,
    Day,
    Load,
    Period,
    PeriodRegion,
    RegionCurve,
    RegionToday,
    Today,
)
from services.exporter.control_room.rows import (
    MinuteTokens,
    RegionBlock,
    RegionCapacity,
    RegionMinute,
    RegionPeriod,
    Window,
)

MINUTE_SECONDS: Final = 60
BLOCK_SECONDS: Final = 900
DAY_SECONDS: Final = 86_400
LOAD_SECONDS: Final = 3 * 3_600
#: A minute is shown this long after its end: reports of its last requests are on the way until
#: then, and a curve that always ends in a dip says something false.
SETTLE_SECONDS: Final = 6
CURVES_MAX: Final = 8
OTHER_REGIONS: Final = "other regions"


@dataclass(frozen=True, slots=True)
class Minutes:
    """The load curve, and what it was drawn from: the system's tokens by minute."""

    load: Load
    tokens: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DayMinutes:
    """The system's tokens by minute of one day, as far as its minutes were closed."""

    day: int
    until: int
    tokens: Mapping[int, int]


def window_of(now: float) -> Window:
    """Give the times the queries ask for: ``now`` is the end of the newest settled minute."""
    closed = int(now - SETTLE_SECONDS) // MINUTE_SECONDS * MINUTE_SECONDS
    return Window(closed, closed - LOAD_SECONDS, closed // DAY_SECONDS * DAY_SECONDS)


def load(rows: Sequence[RegionMinute], window: Window) -> Minutes:
    """Draw the load curves.

    A minute without a row is 0 between two minutes with usage; before the first and after the
    last of all it is not known.
    """
    tokens: dict[str, dict[int, int]] = {}
    totals: dict[int, int] = {}
    requests: dict[int, int] = {}
    for row in rows:
        tokens.setdefault(row.region, {})[row.minute] = row.tokens
        totals[row.minute] = totals.get(row.minute, 0) + row.tokens
        requests[row.minute] = requests.get(row.minute, 0) + row.requests
    minutes = list(range(window.load_from, window.now, MINUTE_SECONDS))

    def curve(values: dict[int, int]) -> list[float | None]:
        if not totals:
            return [None] * len(minutes)
        first, last = min(totals), max(totals)
        return [
            round(values.get(minute, 0) / MINUTE_SECONDS, 3) if first <= minute <= last else None
            for minute in minutes
        ]

    ranked = sorted(tokens, key=lambda region: (-sum(tokens[region].values()), region))
    named, rest = ranked, list[str]()
    if len(ranked) > CURVES_MAX:
        named, rest = ranked[: CURVES_MAX - 1], ranked[CURVES_MAX - 1 :]
    curves = [RegionCurve(region, curve(tokens[region])) for region in named]
    if rest:
        summed: dict[int, int] = {}
        for region in rest:
            for minute, value in tokens[region].items():
                summed[minute] = summed.get(minute, 0) + value
        curves.append(RegionCurve(OTHER_REGIONS, curve(summed), len(rest)))
    ends = {region: max(values) + MINUTE_SECONDS for region, values in sorted(tokens.items())}
    last = max(ends.values(), default=None)
    drawn = Load(
        minutes=minutes,
        tokens_per_second=curve(totals),
        requests_per_second=curve(requests),
        regions=curves,
        last_interval_end=last,
        region_interval_end=ends,
        region_tokens_per_second={
            region: round(tokens[region].get((last or 0) - MINUTE_SECONDS, 0) / MINUTE_SECONDS, 3)
            for region in ends
        },
    )
    return Minutes(drawn, totals)


def day_minutes(rows: Sequence[MinuteTokens], window: Window) -> DayMinutes:
    """Take the day's minutes as they are."""
    return DayMinutes(window.day_from, window.now, {row.minute: row.tokens for row in rows})


def day(older: DayMinutes | None, newest: Minutes | None) -> Day | None:
    """Sum up the day so far; None while its beginning is not known.

    ``newest`` is read more often than ``older`` and wins: so the load of the last minute is never
    above the day's highest, nor the day without tokens that the load has.
    """
    if newest is None or not newest.load.minutes:
        return None if older is None else _day(older.day, older.until, older.tokens)
    first, until = newest.load.minutes[0], newest.load.minutes[-1] + MINUTE_SECONDS
    begin = until // DAY_SECONDS * DAY_SECONDS
    # A gap between the two, after a database that was away, is not known to be without usage.
    known = older is not None and older.day == begin and older.until >= min(first, until)
    if older is not None and older.day > begin:
        return _day(older.day, older.until, older.tokens)
    # Of a day that has begun within the load curve, the curve knows all.
    if not known and first > begin:
        return None
    before = older.tokens if older is not None and known else {}
    return _day(begin, until, {**before, **newest.tokens})


def _day(begin: int, until: int, minutes: Mapping[int, int]) -> Day:
    tokens = {minute: value for minute, value in minutes.items() if begin <= minute < until}
    peak = max(tokens, key=lambda minute: (tokens[minute], -minute), default=None)
    return Day(
        day=begin,
        until=until,
        tokens=str(sum(tokens.values())),
        peak_tokens_per_second=None if peak is None else round(tokens[peak] / MINUTE_SECONDS, 3),
        peak_minute=peak,
    )


def today(rows: Sequence[RegionBlock], window: Window) -> Today:
    """Sum up the day's closed blocks: its peak, and average demand ÷ peak demand."""
    day = window.day_from
    blocks = list(range(day, window.now - BLOCK_SECONDS + 1, BLOCK_SECONDS))
    of_today = [row for row in rows if blocks and day <= row.block <= blocks[-1]]
    demand = _by_block(of_today)
    before = _by_block(row for row in rows if row.block < day)
    tokens = sum(demand.values())
    peak_block = max(demand, key=lambda block: (demand[block], -block), default=None)
    peak = None if peak_block is None else demand[peak_block] / BLOCK_SECONDS
    average = tokens / (len(blocks) * BLOCK_SECONDS) if demand else None
    by_region: dict[str, list[RegionBlock]] = {}
    for row in of_today:
        by_region.setdefault(row.region, []).append(row)
    return Today(
        day=day,
        blocks=blocks,
        tokens_per_second=[demand.get(block, 0) / BLOCK_SECONDS for block in blocks],
        yesterday=[
            before[block] / BLOCK_SECONDS if block in before else None
            for block in range(day - DAY_SECONDS, day, BLOCK_SECONDS)
        ],
        tokens=str(tokens),
        peak_tokens_per_second=peak,
        peak_block=peak_block,
        average_tokens_per_second=average,
        load_factor=average / peak if average is not None and peak else None,
        regions=[_region_today(region, own) for region, own in sorted(by_region.items())],
        seen_regions=sorted({row.region for row in rows}),
    )


def _by_block(rows: Iterable[RegionBlock]) -> dict[int, int]:
    tokens: dict[int, int] = {}
    for row in rows:
        tokens[row.block] = tokens.get(row.block, 0) + row.tokens
    return tokens


def _region_today(region: str, blocks: Sequence[RegionBlock]) -> RegionToday:
    highest = max(blocks, key=lambda row: (row.tokens, -row.block))
    tokens = str(sum(row.tokens for row in blocks))
    return RegionToday(region, tokens, highest.tokens_per_second, highest.block)


def period(rows: Sequence[RegionPeriod]) -> Period:
    """Show the newest billing period."""
    newest = [row for row in rows if row.period == max(row.period for row in rows)]
    return Period(
        period_start=newest[0].period if newest else None,
        coincidence_factor=newest[0].coincidence_factor if newest else None,
        regions=[
            PeriodRegion(
                region=row.region,
                peak_tokens_per_second=row.peak_tokens_per_second,
                load_factor=row.load_factor,
                capacity_tokens_per_second=_count(row.capacity_tokens_per_second),
                reserve_margin=row.reserve_margin,
                one_block=bool(row.one_block),
            )
            for row in newest
        ],
    )


def capacities(rows: Sequence[RegionCapacity]) -> Capacities:
    """Name what each region can deliver."""
    return Capacities({row.region: str(row.tokens_per_second) for row in rows})


def _count(value: int | None) -> str | None:
    return None if value is None else str(value)
