"""PURE. Rows of the views turned into the figures of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from services.exporter.control_room.document import (
    Health,
    League,
    Load,
    Meter,
    Meters,
    Mix,
    Model,
    Period,
    PeriodRegion,
    Place,
    RegionCurve,
    RegionToday,
    Share,
    Today,
)
from services.exporter.control_room.rows import (
    LeagueRow,
    MixShare,
    ModelDay,
    RegionBlock,
    RegionMinute,
    RegionPeriod,
    Registers,
    Window,
)
from services.exporter.rows import CheckpointRow, LogEnds

MINUTE_SECONDS: Final = 60
BLOCK_SECONDS: Final = 900
DAY_SECONDS: Final = 86_400
LOAD_SECONDS: Final = 3 * 3_600
#: A minute is shown this long after its end: reports of its last requests are on the way until
#: then, and a curve that always ends in a dip says something false.
SETTLE_SECONDS: Final = 6
CURVES_MAX: Final = 8
OTHER_REGIONS: Final = "other regions"


def window_of(now: float) -> Window:
    """Give the times the queries ask for: ``now`` is the end of the newest settled minute."""
    closed = int(now - SETTLE_SECONDS) // MINUTE_SECONDS * MINUTE_SECONDS
    return Window(closed, closed - LOAD_SECONDS, closed // DAY_SECONDS * DAY_SECONDS)


def load(rows: Sequence[RegionMinute], window: Window) -> Load:
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
        curves.append(RegionCurve(OTHER_REGIONS, curve(summed)))
    ends = {region: max(values) + MINUTE_SECONDS for region, values in sorted(tokens.items())}
    return Load(
        minutes=minutes,
        tokens_per_second=curve(totals),
        requests_per_second=curve(requests),
        regions=curves,
        last_interval_end=max(ends.values(), default=None),
        region_interval_end=ends,
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
            )
            for row in newest
        ],
    )


def _count(value: int | None) -> str | None:
    return None if value is None else str(value)


def mix(rows: Sequence[MixShare]) -> Mix:
    """Sum up the newest week by country and by author, most tokens first."""
    newest = max((row.week for row in rows), default=None)
    week = [row for row in rows if row.week == newest]
    total = sum(row.tokens for row in week)
    origins: dict[str, int] = {}
    for row in week:
        origins[row.origin] = origins.get(row.origin, 0) + row.tokens

    def share(name: str, origin: str, tokens: int) -> Share:
        return Share(name, origin, str(tokens), tokens / total if total else 0.0)

    return Mix(
        week_start=newest,
        tokens=str(total),
        origins=[
            share(origin, origin, tokens)
            for origin, tokens in sorted(origins.items(), key=lambda item: (-item[1], item[0]))
        ],
        authors=[
            share(row.author, row.origin, row.tokens)
            for row in sorted(week, key=lambda row: (-row.tokens, row.author, row.origin))
        ],
    )


def league(rows: Sequence[LeagueRow]) -> League:
    """Show the newest week's places in their order."""
    newest = max((row.week for row in rows), default=None)
    before = {row.origin: row.share for row in rows if row.week != newest}
    return League(
        week_start=newest,
        places=[
            Place(
                rank=row.rank,
                origin=row.origin,
                tokens=str(row.tokens),
                share=row.share or 0.0,
                leading_weeks=row.leading_weeks,
                share_week_before=before.get(row.origin),
            )
            for row in sorted(rows, key=lambda row: (row.rank, row.origin))
            if row.week == newest
        ],
    )


def models(rows: Sequence[ModelDay]) -> list[Model]:
    """Show the models in the order of the rows."""
    return [
        Model(
            model=row.model,
            author=row.author or "unknown",
            origin=row.origin or "unknown",
            requests=str(row.requests),
            tokens=str(row.tokens),
            share=row.tokens / row.all_tokens if row.all_tokens else 0.0,
        )
        for row in rows
    ]


def meters(rows: Sequence[Registers]) -> Meters:
    """Read the registers of each region and sum them up."""
    return Meters(_meter(rows), {row.region: _meter([row]) for row in rows})


def _meter(rows: Iterable[Registers]) -> Meter:
    requests = given = made = 0
    for row in rows:
        requests += row.requests
        given += row.input_tokens
        made += row.output_tokens
    return Meter(str(requests), str(given), str(made), str(given + made))


def health(rows: Sequence[CheckpointRow], ends: LogEnds | None) -> Health:
    """Sum the counts of all partitions of all logs; the lag is that of the log of now."""
    rejected: dict[str, int] = {}
    for row in rows:
        for reason, count in row.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
    newest_ms = max((row.newest_event_ms for row in rows), default=0)
    append_ms = max((row.last_append_ms for row in rows), default=0)
    lag = None if ends is None else str(lag_records(rows, ends))
    return Health(
        received=str(sum(row.received for row in rows)),
        accepted=str(sum(row.accepted for row in rows)),
        duplicate=str(sum(row.duplicate for row in rows)),
        late=str(sum(row.late for row in rows)),
        rejected=str(sum(rejected.values())),
        rejected_by_reason={reason: str(count) for reason, count in sorted(rejected.items())},
        newest_event=newest_ms / 1000 if newest_ms > 0 else None,
        last_append=append_ms / 1000 if append_ms > 0 else None,
        lag=lag,
    )


def lag_records(rows: Iterable[CheckpointRow], ends: LogEnds) -> int:
    """Count the records of the current log, and those before it, that no checkpoint covers."""
    return sum(ends.lag(rows).values())
