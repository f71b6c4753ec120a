"""PURE. A fleet of gateways: a stream of readings that seed and start time determine wholly.

The rate of the whole fleet stays what was asked for; the day curves of the regions' time zones
and the weekday decide which region's gateways it comes from.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate, count
from random import Random
from typing import Final, NamedTuple

from schemas.metering_rules import DAY_MS, HOUR_MS, MeteringRules
from services.platform.errors import ConfigurationError
from services.simulator import profiles
from services.simulator.gateways import gateway_weights, gateways, request_lines
from services.simulator.lateness import late_ms
from services.simulator.poison import POISONS
from services.simulator.price_facts import PriceFacts
from services.simulator.reading import METERED, TOO_NEW, TOO_OLD, Reading, event_fields

#: So much older than the log's rules allow.
TOO_OLD_BY_MS: Final = (1 * DAY_MS, 25 * DAY_MS)
#: Far enough in the future that no delay on the way to the log makes it acceptable.
TOO_NEW_MS: Final = (6 * HOUR_MS, 2 * DAY_MS)
DISORDER_MS: Final = (1_000, 60_000)
RESEND_LATER_MS: Final = (500, 20_000)
#: What usually lies between a request's end and its report.
REPORT_DELAY_MS: Final = 1_500
INPUT_TOKENS_MAX: Final = 2_000_000
OUTPUT_TOKENS_MAX: Final = 200_000
#: Normal deviates are drawn once and then picked from: sizes look the same at half the time.
NORMALS_BITS: Final = 14
#: Multiples of it are spread evenly, modulo 1.
_SPREAD: Final = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Ratios:
    """Parts of the events that are not like the rest; each between 0 and 1."""

    duplicates: float = 0.02
    disorder: float = 0.05
    late: float = 0.01
    poison: float = 0.001
    too_old: float = 0.0002
    too_new: float = 0.0002
    adjustments: float = 0.0

    def __post_init__(self) -> None:
        parts = [getattr(self, name) for name in self.__slots__]
        # Each resend may be resent again, so with a ratio of 1 there would be no end.
        if min(parts) < 0 or sum(parts) - self.duplicates > 1 or self.duplicates >= 1:
            raise ConfigurationError(
                "ratios lie between 0 and 1, and so does their sum; duplicates stay below 1"
            )


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What the fleet sends: `rate` new events a second for `duration_seconds` from `start_ms` on.

    `holidays` are days off that late events are of, beside weekends, if they are not long past:
    `event_age_max_days` are those of the log's rules.
    `poison_straight` is the part of what ingest refuses, poison and wrong times, that goes past it,
    straight onto the topic.
    """

    seed: int
    start_ms: int
    rate: float
    duration_seconds: float
    gateways: int = 28
    tenants: tuple[str, ...] = profiles.TENANTS
    ratios: Ratios = field(default_factory=Ratios)
    poison_straight: float = 1.0
    holidays: tuple[date, ...] = ()
    event_age_max_days: int = MeteringRules().too_old_ms // DAY_MS

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.duration_seconds <= 0 or self.gateways < 1 or not self.tenants:
            raise ConfigurationError("a fleet needs a rate, a duration, gateways and tenants")

    @property
    def too_old_ms(self) -> int:
        """The age of an event above which the log's rules reject it."""
        return self.event_age_max_days * DAY_MS

    @property
    def run_id(self) -> str:
        """Name of the run: two fleets of one seed at other times report other events."""
        return f"{self.seed:x}-{self.start_ms:x}"

    @property
    def events(self) -> int:
        """How many new events the fleet reports, resends not counted."""
        return max(1, round(self.rate * self.duration_seconds))


class Emission(NamedTuple):
    """A reading to be sent at `at_ms`; `number` counts new events, a resend has its event's."""

    at_ms: int
    number: int
    reading: Reading
    straight: bool


def emissions(plan: FleetPlan) -> Iterator[Emission]:
    """Stream what the fleet sends, ordered by `at_ms`; equal plans give equal streams."""
    draw = Random(plan.seed)
    source = ReadingSource(plan, draw)
    tiebreak = count()
    resends: list[tuple[int, int, Emission]] = []
    for number in range(plan.events):
        at_ms = plan.start_ms + int(number * 1000 / plan.rate)
        while resends and resends[0][0] <= at_ms:
            yield heapq.heappop(resends)[2]
        emission = source.emission(number, at_ms)
        yield emission
        if emission.reading.expected != METERED:
            continue
        while draw.random() < plan.ratios.duplicates:
            if draw.random() < 0.5:
                yield emission
            else:
                later_ms = at_ms + draw.randint(*RESEND_LATER_MS)
                resend = emission._replace(at_ms=later_ms)
                heapq.heappush(resends, (later_ms, next(tiebreak), resend))
    # What is still to be resent goes out at the end: the stream lasts as long as planned.
    for _, _, resend in sorted(resends):
        yield resend._replace(at_ms=at_ms)


class ReadingSource:
    """Draws readings: which gateway, which model, how many tokens, and what is odd about it."""

    def __init__(self, plan: FleetPlan, draw: Random) -> None:
        self._plan = plan
        self._draw = draw
        self._gateways = gateways(plan.gateways, plan.tenants)
        self._gateway_weights: list[float] = []
        self._weights_until_ms = 0
        self._lines, self._line_weights = request_lines()
        self._normals = [draw.gauss(0.0, 1.0) for _ in range(2**NORMALS_BITS)]
        self._facts = PriceFacts(plan.seed)
        ratios = plan.ratios
        parts = [ratios.poison, ratios.too_old, ratios.too_new]
        parts += [ratios.late, ratios.disorder, ratios.adjustments]
        self._odd = list(accumulate(parts))

    def emission(self, number: int, at_ms: int) -> Emission:
        """Draw the reading of new event ``number``, reported at ``at_ms``."""
        draw = self._draw
        age_ms = int(draw.random() * REPORT_DELAY_MS)
        odd = bisect(self._odd, draw.random())
        if odd == len(self._odd):
            return Emission(at_ms, number, self._reading(number, at_ms, at_ms - age_ms), False)
        if odd == 0:
            return self._poison(number, at_ms)
        if odd == 1:
            age_ms = self._plan.too_old_ms + draw.randint(*TOO_OLD_BY_MS)
        elif odd == 2:
            age_ms = -draw.randint(*TOO_NEW_MS)
        elif odd == 3:
            age_ms = late_ms(at_ms, self._plan.holidays, self._plan.too_old_ms, draw)
        elif odd == 4:
            age_ms = draw.randint(*DISORDER_MS)
        reading = self._reading(number, at_ms, at_ms - age_ms)
        if odd in (1, 2):
            reading = reading._replace(expected=TOO_OLD if odd == 1 else TOO_NEW)
            # As poison, ingest refuses it. By its number, so that one more draw changes nothing.
            spread = number * _SPREAD % 1
            return Emission(at_ms, number, reading, spread < self._plan.poison_straight)
        if odd == 5:
            reading = self._adjustment(reading)
        return Emission(at_ms, number, reading, False)

    def _reading(self, number: int, at_ms: int, time_ms: int) -> Reading:
        draw = self._draw
        random = draw.random
        if at_ms >= self._weights_until_ms:
            self._gateway_weights = gateway_weights(self._gateways, at_ms)
            self._weights_until_ms = at_ms - at_ms % HOUR_MS + HOUR_MS
        weights = self._gateway_weights
        gateway = self._gateways[bisect(weights, random() * weights[-1])]
        weights = self._line_weights
        line = self._lines[bisect(weights, random() * weights[-1])]
        mark = random()
        failed = mark < profiles.ERROR_RATIO
        input_tokens = min(self._tokens(line.input_mu, line.input_sigma), INPUT_TOKENS_MAX)
        output_tokens = min(self._tokens(line.output_mu, line.output_sigma), OUTPUT_TOKENS_MAX)
        if failed:
            output_tokens = 0
        cache_read, cache_write = self._cached(input_tokens)
        reasoning = None
        if line.reasoning_share:
            reasoning = int(output_tokens * min(1.0, line.reasoning_share * 2 * random()))
        reading = Reading(
            METERED,
            gateway.tenant,
            gateway.source,
            f"{self._plan.run_id}-{number}",
            time_ms,
            gateway.region.name,
            line.provider,
            line.model,
            input_tokens,
            output_tokens,
            cache_read,
            cache_write,
            reasoning,
            "error" if failed else "ok",
            "estimated" if mark > 1 - profiles.ESTIMATED_RATIO else "measured",
            200 + 12 * output_tokens,
        )
        return self._facts.told(reading)

    def _tokens(self, mu: float, sigma: float) -> int:
        return 1 + int(math.exp(mu + sigma * self._normals[self._draw.getrandbits(NORMALS_BITS)]))

    def _cached(self, input_tokens: int) -> tuple[int, int | None]:
        """Draw what was read from a cache (0 is a report, too) and written to one."""
        mark = self._draw.random()
        if mark > profiles.CACHE_HIT_RATIO:
            return 0, None
        # The same draw again, stretched to 0..1: a mean of CACHE_READ_SHARE, at most all of it.
        part = mark / profiles.CACHE_HIT_RATIO
        read = int(input_tokens * min(1.0, 2 * part * profiles.CACHE_READ_SHARE))
        if self._draw.random() < profiles.CACHE_WRITE_RATIO:
            return read, int((input_tokens - read) * part)
        return read, None

    def _poison(self, number: int, at_ms: int) -> Emission:
        draw = self._draw
        straight = draw.random() < self._plan.poison_straight
        spoil, reason = POISONS[draw.randrange(len(POISONS))]
        reading = self._reading(number, at_ms, at_ms)
        fields = event_fields(reading)
        if not straight:
            del fields["tenant"]
        return Emission(
            at_ms, number, reading._replace(expected=reason, payload=spoil(fields)), straight
        )

    def _adjustment(self, reading: Reading) -> Reading:
        return reading._replace(
            entry="credit" if self._draw.random() < 0.5 else "debit",
            adjusts=f"{reading.id}-original",
            reason="synthetic true-up",
            status="ok",
            quality="measured",
        )
