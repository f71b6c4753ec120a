"""Fills an empty database with weeks of made-up metering at the scale of a large platform.

For pictures of the control room: the slices are what the aggregator would have written had the
simulator's fleet (services/simulator/profiles.py) reported some 2,000 requests a second for weeks,
which no laptop could send in a minute. Seeded, so two runs at one time of day look the same.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from services.simulator import profiles

MINUTE: Final = 60
BLOCK: Final = 900
HOUR: Final = 3_600
DAY: Final = 86_400
#: Mean of the whole system, and how long its registers have been running.
TOKENS_PER_SECOND: Final = 14_500_000
REGISTER_DAYS: Final = 214
HISTORY_DAYS: Final = 25
LOG: Final = "synthetic/history"
SUMS: Final = (
    *("requests", "failed_requests", "input_tokens", "cache_read_input_tokens"),
    *("cache_write_input_tokens", "output_tokens", "reasoning_output_tokens", "estimated_tokens"),
)
Row = list[Any]


def fill(client: Client, now: float) -> None:
    """Write registers, minutes (since yesterday) and hours (of weeks) up to ``now``."""
    draw = random.Random(5)
    minute_now = int(now) // MINUTE * MINUTE
    minutes_from = minute_now // DAY * DAY - DAY
    blocks_from = minutes_from - HISTORY_DAYS * DAY
    hours: dict[tuple[int, str, str, str], list[int]] = {}
    minutes: list[Row] = []
    for region in profiles.REGIONS:
        for start, seconds, tokens in _demand(region, blocks_from, minutes_from, minute_now, draw):
            for profile, part in _parts(tokens, draw):
                sums = _sums(profile, part)
                key = (start // HOUR * HOUR, region.name, profile.provider, profile.model)
                so_far = hours.setdefault(key, [0] * len(SUMS))
                hours[key] = [a + b for a, b in zip(so_far, sums, strict=True)]
                if seconds == MINUTE:
                    minutes.append([_utc(start), *key[1:], *sums])
            if seconds == BLOCK:
                # Demand by model so long ago is in no picture: one row a block will do.
                minutes.append([_utc(start), *key[1:], *_sums(profile, tokens)])
    names = ["region", "provider", "model", *SUMS]
    _insert(client, "slices_minute", ["window_start", *names], minutes)
    rows = [[_utc(key[0]), *key[1:], *sums] for key, sums in hours.items()]
    _insert(client, "slices_hour", ["window_start", *names], rows)
    _insert(client, "slices_register", names, list(_registers(hours)))
    _checkpoint(client, time.time(), sum(sums[0] for sums in hours.values()))


def _demand(
    region: profiles.Region, blocks_from: int, minutes_from: int, now: int, draw: random.Random
) -> Iterator[tuple[int, int, float]]:
    """Start, length and tokens of each window: blocks of the past, then minutes."""
    zone = ZoneInfo(region.zone)
    drift = 0.0
    for start, seconds in [
        *((start, BLOCK) for start in range(blocks_from, minutes_from, BLOCK)),
        *((start, MINUTE) for start in range(minutes_from, now, MINUTE)),
    ]:
        local = datetime.fromtimestamp(start + seconds / 2, zone)
        factor = profiles.demand_factor(local.weekday(), local.hour)
        later = profiles.demand_factor(local.weekday(), (local.hour + 1) % 24)
        smooth = factor + (later - factor) * local.minute / 60
        drift = 0.93 * drift + draw.gauss(0, 0.006)
        noise = 1 + drift + draw.gauss(0, 0.008)
        yield start, seconds, TOKENS_PER_SECOND * region.share * smooth * noise * seconds


def _parts(tokens: float, draw: random.Random) -> Iterator[tuple[profiles.ModelProfile, float]]:
    weights = [profile.token_share * draw.uniform(0.9, 1.1) for profile in profiles.MODELS]
    for profile, weight in zip(profiles.MODELS, weights, strict=True):
        yield profile, tokens * weight / sum(weights)


def _sums(profile: profiles.ModelProfile, tokens: float) -> list[int]:
    mean = profile.token_share / profile.request_weight
    requests = max(1, round(tokens / mean))
    output = round(tokens * 0.07)
    given = round(tokens) - output
    return [
        *(requests, round(requests * 0.012), given, round(given * 0.27), round(given * 0.02)),
        *(output, round(output * profile.reasoning_share), round(tokens * 0.018)),
    ]


def _registers(hours: dict[tuple[int, str, str, str], list[int]]) -> Iterator[Row]:
    totals: dict[tuple[str, str, str], list[int]] = {}
    for key, sums in hours.items():
        so_far = totals.setdefault(key[1:], [0] * len(SUMS))
        totals[key[1:]] = [a + b for a, b in zip(so_far, sums, strict=True)]
    for series, sums in totals.items():
        yield [*series, *(value * REGISTER_DAYS // HISTORY_DAYS for value in sums)]


def _checkpoint(client: Client, now: float, accepted: int) -> None:
    duplicate, late = accepted // 51, accepted // 100
    rejected = {"invalid_event": accepted // 1_900, "too_old": accepted // 9_700}
    columns = {
        **{"log": LOG, "partition": 0, "topic": "synthetic", "start_offset": 0},
        **{"received": accepted + duplicate + sum(rejected.values()), "accepted": accepted},
        **{"duplicate": duplicate, "late": late, "rejected": rejected},
        **{"newest_event": _utc(now - 1.2), "last_append": _utc(now - 0.4)},
    }
    columns["next_offset"] = columns["received"]
    client.insert("checkpoints", [list(columns.values())], column_names=list(columns))


def _insert(client: Client, table: str, names: Sequence[str], rows: Sequence[Row]) -> None:
    place = {"log": LOG, "partition": 0, "version": 1}
    rows = [[*row, *place.values()] for row in rows]
    client.insert(table, rows, column_names=[*names, *place])


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
