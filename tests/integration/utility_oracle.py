"""What the utility views must show, computed from slice rows by other code than SQL.

Everything is whole numbers and dictionaries here: times are seconds since 1970 (UTC), a result is
a dictionary from the view's key to its other columns, and the only floats are final quotients.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

BLOCK_SECONDS = 900
HOUR_SECONDS = 3600
DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
#: 1970-01-05, the first Monday.
FIRST_MONDAY_SECONDS = 4 * DAY_SECONDS
MINUTE_RETENTION_SECONDS = 90 * DAY_SECONDS
HOUR_RETENTION_SECONDS = 400 * DAY_SECONDS

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


class Slice(NamedTuple):
    """One version of one slice; minutes have no tenant."""

    window_start: int
    region: str
    provider: str
    model: str
    tenant: str
    entry: str
    log: str
    partition: int
    version: int
    requests: int
    input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    estimated_tokens: int

    @property
    def key(self) -> tuple[object, ...]:
        """What names the slice, whatever its version."""
        return self[:8]

    @property
    def tokens(self) -> int:
        """What was delivered."""
        return self.input_tokens + self.output_tokens


class Maker(NamedTuple):
    """Whose model it is."""

    origin: str
    author: str


UNKNOWN = Maker("unknown", "unknown")
Makers = Mapping[tuple[str, str], Maker]


def delivered(slices: Iterable[Slice]) -> list[Slice]:
    """Keep the newest version of each slice, and of these plain usage."""
    newest: dict[tuple[object, ...], Slice] = {}
    for one in slices:
        if one.key not in newest or newest[one.key].version < one.version:
            newest[one.key] = one
    return [one for one in newest.values() if one.entry == "usage"]


def block_of(time: int) -> int:
    """Start of the 15-minute block that ``time`` lies in."""
    return time // BLOCK_SECONDS * BLOCK_SECONDS


def month_of(time: int) -> date:
    """First day of the month that ``time`` lies in."""
    return datetime.fromtimestamp(time, UTC).date().replace(day=1)


def month_after(month: date) -> date:
    """First day of the month after."""
    return (month + timedelta(days=31)).replace(day=1)


def seconds_of(day: date) -> int:
    """Midnight (UTC) with which ``day`` begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def monday_of(time: int) -> date:
    """Monday of the week that ``time`` lies in."""
    weeks = (time - FIRST_MONDAY_SECONDS) // WEEK_SECONDS
    return date(1970, 1, 5) + timedelta(weeks=weeks)


def ratio(part: int | float, whole: int | float) -> float | None:
    """Divide, None by 0."""
    return part / whole if whole else None


def demand_15m(minutes: Iterable[Slice], now: int) -> Rows:
    """(window_start, region, provider, model) -> tokens, demand, complete."""
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    for one in delivered(minutes):
        tokens[block_of(one.window_start), one.region, one.provider, one.model] += one.tokens
    return {
        key: (total, total / BLOCK_SECONDS, _ended(key[0], BLOCK_SECONDS, now))
        for key, total in tokens.items()
    }


def region_blocks(minutes: Iterable[Slice]) -> dict[str, dict[int, tuple[int, int, int]]]:
    """Region -> block -> requests, tokens, estimated tokens."""
    blocks: dict[str, dict[int, tuple[int, int, int]]] = defaultdict(dict)
    for one in delivered(minutes):
        block = block_of(one.window_start)
        requests, tokens, estimated = blocks[one.region].get(block, (0, 0, 0))
        blocks[one.region][block] = (
            requests + one.requests,
            tokens + one.tokens,
            estimated + one.estimated_tokens,
        )
    return blocks


def region_demand_15m(minutes: Iterable[Slice], now: int) -> Rows:
    """(window_start, region) -> requests, tokens, estimated tokens, demand, complete."""
    return {
        (block, region): (*sums, sums[1] / BLOCK_SECONDS, _ended(block, BLOCK_SECONDS, now))
        for region, blocks in region_blocks(minutes).items()
        for block, sums in blocks.items()
    }


def sliding_demand(minutes: Iterable[Slice], now: int) -> Rows:
    """(region, provider, model) -> window start, window end, tokens, demand."""
    end = now // 60 * 60
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    for one in delivered(minutes):
        if end - BLOCK_SECONDS <= one.window_start < end:
            tokens[one.region, one.provider, one.model] += one.tokens
    return {
        key: (end - BLOCK_SECONDS, end, total, total / BLOCK_SECONDS)
        for key, total in tokens.items()
    }


def peak_demand(minutes: Iterable[Slice], now: int) -> Rows:
    """(period_start, region) -> the other columns of the view, demands left out."""
    by_period: dict[date, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for region, blocks in region_blocks(minutes).items():
        for block, (_, tokens, _) in blocks.items():
            by_period[month_of(block)][region][block] = tokens
    rows: Rows = {}
    for period, regions in by_period.items():
        system: dict[int, int] = defaultdict(int)
        for tokens_of in regions.values():
            for block, tokens in tokens_of.items():
                system[block] += tokens
        system_peak = max(system.values())
        system_start = min(block for block in system if system[block] == system_peak)
        for region, tokens_of in regions.items():
            peak = max(tokens_of.values())
            rows[period, region] = (
                sum(tokens_of.values()),
                peak,
                min(block for block in tokens_of if tokens_of[block] == peak),
                tokens_of.get(system_start, 0),
                system_peak,
                system_start,
                max(tokens_of),
                _period_complete(period, now),
            )
    return rows


def load_factor(minutes: Iterable[Slice], capacities: Mapping[str, int], now: int) -> Rows:
    """(period_start, region) -> average, load and coincidence factor, capacity, reserve margin."""
    peaks = peak_demand(minutes, now)
    rows: Rows = {}
    for (period, region), row in peaks.items():
        tokens, peak, _, _, system_peak, _, last_block, _ = row
        start, end = seconds_of(period), seconds_of(month_after(period))
        begun = sum(block <= max(now, last_block) for block in range(start, end, BLOCK_SECONDS))
        own_peaks = sum(other[1] for key, other in peaks.items() if key[0] == period)
        # What the definitions promise, whatever the data.
        assert tokens <= begun * peak and system_peak <= own_peaks
        capacity = capacities.get(region)
        margin = None
        if capacity is not None and peak:
            margin = (capacity - peak / BLOCK_SECONDS) / (peak / BLOCK_SECONDS)
        rows[period, region] = (
            tokens / (begun * BLOCK_SECONDS),
            ratio(tokens, begun * peak),
            ratio(system_peak, own_peaks),
            capacity,
            margin,
        )
    return rows


def load_duration(minutes: Iterable[Slice], now: int) -> Rows:
    """(region, time_percent) -> tokens, demand, blocks."""
    rows: Rows = {}
    for region, blocks in region_blocks(minutes).items():
        done = {start: sums[1] for start, sums in blocks.items() if start + BLOCK_SECONDS <= now}
        if not done:
            continue
        stretch = range(min(done), max(done) + 1, BLOCK_SECONDS)
        demands = [done.get(block, 0) for block in stretch]
        times = Counter(demands)
        reached = {demand: sum(times[o] for o in times if o >= demand) for demand in times}
        for percent in range(101):
            # The highest demand that enough blocks reach; at 0 percent, the highest at all.
            tokens = max(d for d in reached if reached[d] * 100 >= percent * len(demands))
            rows[region, percent] = (tokens, tokens / BLOCK_SECONDS, len(demands))
    return rows


def generation_mix(hours: Iterable[Slice], makers: Makers, now: int) -> Rows:
    """(week_start, region, origin, author) -> tokens, share, complete."""
    tokens: dict[tuple[date, str, Maker], int] = defaultdict(int)
    totals: dict[tuple[date, str], int] = defaultdict(int)
    for one in delivered(hours):
        week = monday_of(one.window_start)
        tokens[week, one.region, makers.get((one.provider, one.model), UNKNOWN)] += one.tokens
        totals[week, one.region] += one.tokens
    return {
        (week, region, maker.origin, maker.author): (
            total,
            ratio(total, totals[week, region]),
            _week_complete(week, now),
        )
        for (week, region, maker), total in tokens.items()
    }


def token_league(hours: Iterable[Slice], makers: Makers, now: int) -> Rows:
    """(week_start, origin) -> tokens, share, rank, leading weeks, two growths, complete."""
    weeks: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in delivered(hours):
        origin = makers.get((one.provider, one.model), UNKNOWN).origin
        weeks[monday_of(one.window_start)][origin] += one.tokens
    return league_of_weeks(weeks, now)


def league_of_weeks(weeks: Mapping[date, Mapping[str, int]], now: int) -> Rows:
    """Compute the league from tokens by week and origin."""
    tables = {
        week: sorted(tokens, key=lambda origin: (-tokens[origin], origin))
        for week, tokens in weeks.items()
    }
    rows: Rows = {}
    for week, table in tables.items():
        complete = _week_complete(week, now)
        for place, origin in enumerate(table, start=1):
            tokens = weeks[week][origin]
            streak, back = 0, week
            while back in tables and tables[back][0] == origin and weeks[back][origin]:
                streak, back = streak + 1, back - timedelta(weeks=1)
            growths = [
                _growth(weeks, week, origin, weeks_back, now) if complete else None
                for weeks_back in (1, 52)
            ]
            share = ratio(tokens, sum(weeks[week].values()))
            rows[week, origin] = (tokens, share, place, streak, *growths, complete)
    return rows


def token_density(hours: Iterable[Slice], now: int) -> Rows:
    """(window_start, model) -> the other columns of the view."""
    sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in delivered(hours):
        four = (one.requests, one.input_tokens, one.output_tokens, one.cache_read_input_tokens)
        for place, value in enumerate(four):
            sums[one.window_start, one.model][place] += value
    return {
        (start, model): (
            *(requests, given, made, cached),
            ratio(given + made, requests),
            ratio(made, given),
            ratio(cached, given),
            _ended(start, HOUR_SECONDS, now),
        )
        for (start, model), (requests, given, made, cached) in sums.items()
    }


def data_quality(minutes: Iterable[Slice], now: int) -> Rows:
    """(window_start, region) -> measured, estimated, missing, complete."""
    rows: Rows = {}
    for region, blocks in region_blocks(minutes).items():
        for block in range(min(blocks), max(blocks) + 1, BLOCK_SECONDS):
            ended = _ended(block, BLOCK_SECONDS, now)
            if block in blocks:
                _, tokens, estimated = blocks[block]
                rows[block, region] = (tokens - estimated, estimated, 0, ended)
            else:
                rows[block, region] = (0, 0, ended, ended)
    return rows


def _growth(
    weeks: Mapping[date, Mapping[str, int]], week: date, origin: str, weeks_back: int, now: int
) -> float | None:
    before = week - timedelta(weeks=weeks_back)
    if not _week_complete(before, now):
        return None
    tokens_before = weeks.get(before, {}).get(origin, 0)
    return weeks[week][origin] / tokens_before - 1 if tokens_before else None


def _ended(start: int, length_seconds: int, now: int) -> int:
    return int(start + length_seconds <= now)


def _period_complete(period: date, now: int) -> int:
    ended = seconds_of(month_after(period)) <= now
    return int(ended and seconds_of(period) >= now - MINUTE_RETENTION_SECONDS)


def _week_complete(week: date, now: int) -> int:
    start = seconds_of(week)
    return int(start + WEEK_SECONDS <= now and start >= now - HOUR_RETENTION_SECONDS)
