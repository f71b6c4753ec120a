"""PURE. The scenario token-era: six weeks in which Chinese models overtake the US's.

Public reports have it that Chinese models were ahead of the US for a second week in a row in the
week to 2026-03-15, with 4.69 trillion tokens. That total, and who was ahead in the last three
weeks, is what the scenario reproduces exactly; all other figures are made up, and every event
says so by its source.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final, NamedTuple

from schemas.metering_rules import HOUR_MS
from services.platform.errors import ConfigurationError
from services.simulator import profiles
from services.simulator.fleet import Emission
from services.simulator.gateways import Gateway, gateway_weights, gateways
from services.simulator.profiles import ModelProfile
from services.simulator.reading import METERED, Reading

SOURCE: Final = "synthetic:token-era"
REPORTED_UNTIL: Final = date(2026, 3, 15)
HOURS_PER_WEEK: Final = 7 * 24
GATEWAYS: Final = 28
#: Spread of an hour's tokens around what model and hour of day make one expect (log scale).
NOISE_SIGMA: Final = 0.2


class WeekTokens(NamedTuple):
    """Tokens of one week, by home of the models' makers."""

    cn: int
    us: int
    elsewhere: int


BILLION: Final = 10**9
#: The last line is the week of the report.
WEEKS: Final = (
    WeekTokens(2_310 * BILLION, 3_020 * BILLION, 410 * BILLION),
    WeekTokens(2_720 * BILLION, 3_180 * BILLION, 430 * BILLION),
    WeekTokens(3_050 * BILLION, 3_310 * BILLION, 450 * BILLION),
    WeekTokens(3_480 * BILLION, 3_560 * BILLION, 470 * BILLION),
    WeekTokens(4_160 * BILLION, 3_720 * BILLION, 500 * BILLION),
    WeekTokens(4_690 * BILLION, 3_840 * BILLION, 520 * BILLION),
)


@dataclass(frozen=True, slots=True)
class TokenEraPlan:
    """Which weeks are told of, and by whom; equal plans report equal events.

    ``origins`` says whose each model is: model -> country code; models it does not name are from
    elsewhere. ``until`` is the last day, a Sunday.
    """

    origins: Mapping[str, str]
    seed: int = 1
    until: date = REPORTED_UNTIL
    tenants: tuple[str, ...] = profiles.TENANTS

    def __post_init__(self) -> None:
        if self.until.isoweekday() != 7:
            raise ConfigurationError(f"weeks end on a Sunday, and {self.until} is none")
        if not all(self.models):
            raise ConfigurationError("the catalogue must have models from CN, US and elsewhere")

    @property
    def run_id(self) -> str:
        """Name of the run: sent again within the horizon, its events are duplicates."""
        return f"token-era-{self.seed:x}-{self.until:%Y%m%d}"

    @property
    def models(self) -> tuple[list[ModelProfile], ...]:
        """Which models share each of the week's totals, in the order of `WeekTokens`."""
        homes: tuple[list[ModelProfile], ...] = ([], [], [])
        for profile in profiles.MODELS:
            origin = self.origins.get(profile.model)
            homes[("CN", "US").index(origin) if origin in ("CN", "US") else 2].append(profile)
        return homes

    @property
    def start_ms(self) -> int:
        """Begin of the first week, milliseconds since 1970."""
        return self.end_ms - len(WEEKS) * HOURS_PER_WEEK * HOUR_MS

    @property
    def end_ms(self) -> int:
        """End of the last week, milliseconds since 1970."""
        midnight = datetime.combine(self.until + timedelta(days=1), time(), UTC)
        return int(midnight.timestamp()) * 1000

    @property
    def events(self) -> int:
        """How many events are reported: one for each hour and model."""
        return len(WEEKS) * HOURS_PER_WEEK * len(profiles.MODELS)


def emissions(plan: TokenEraPlan) -> Iterator[Emission]:
    """Stream the weeks, hour by hour; an event is what one gateway metered of a model in it."""
    draw = Random(plan.seed)
    fleet = gateways(GATEWAYS, plan.tenants)
    number = 0
    for week, totals in enumerate(WEEKS):
        start_ms = plan.start_ms + week * HOURS_PER_WEEK * HOUR_MS
        hours = [start_ms + hour * HOUR_MS for hour in range(HOURS_PER_WEEK)]
        weights = [gateway_weights(fleet, at_ms) for at_ms in hours]
        loads = [cumulated[-1] for cumulated in weights]
        lines = [
            (profile, tokens)
            for total, models in zip(totals, plan.models, strict=True)
            for profile, tokens in _spread(total, models, loads, draw)
        ]
        for hour, at_ms in enumerate(hours):
            for profile, tokens in lines:
                gateway = fleet[bisect(weights[hour], draw.random() * loads[hour])]
                time_ms = at_ms + draw.randrange(HOUR_MS)
                id_ = f"{plan.run_id}-{number}"
                reading = _reading(id_, time_ms, gateway, profile, tokens[hour], draw)
                yield Emission(plan.end_ms, number, reading, straight=False)
                number += 1


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Divide ``total`` in proportion to the weights, to the last token (largest remainders)."""
    whole = math.fsum(weights)
    shares = [total * weight / whole for weight in weights]
    parts = [int(share) for share in shares]
    left = total - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - shares[place])
    for place in by_remainder[:left]:
        parts[place] += 1
    return parts


def _spread(
    total: int, models: Sequence[ModelProfile], loads: Sequence[float], draw: Random
) -> Iterator[tuple[ModelProfile, list[int]]]:
    """Divide a week's total among models and hours: profile, tokens by hour."""
    weights = [
        profile.token_share * load * math.exp(draw.gauss(0.0, NOISE_SIGMA))
        for profile in models
        for load in loads
    ]
    parts = apportion(total, weights)
    for place, profile in enumerate(models):
        yield profile, parts[place * len(loads) : (place + 1) * len(loads)]


def _reading(
    id_: str, time_ms: int, gateway: Gateway, profile: ModelProfile, tokens: int, draw: Random
) -> Reading:
    output_tokens = int(tokens * min(0.5, profile.output_share * (0.5 + draw.random())))
    input_tokens = tokens - output_tokens
    cached = profiles.CACHE_HIT_RATIO * profiles.CACHE_READ_SHARE * (0.5 + draw.random())
    reasoning = int(output_tokens * profile.reasoning_share) if profile.reasoning_share else None
    return Reading(
        METERED,
        gateway.tenant,
        SOURCE,
        id_,
        time_ms,
        gateway.region.name,
        profile.provider,
        profile.model,
        input_tokens,
        output_tokens,
        cache_read_input_tokens=int(input_tokens * cached),
        reasoning_output_tokens=reasoning,
    )
