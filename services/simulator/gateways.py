"""PURE. Who reports, and what is asked for: gateways by region and tenant, and kinds of request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.simulator import profiles
from services.simulator.price_profiles import LISTENING
from services.simulator.reading import event_time


class Gateway(NamedTuple):
    """A gateway: it reports as `source`, for one tenant, in one region."""

    source: str
    tenant: str
    region: profiles.Region


class Line(NamedTuple):
    """A kind of request: a model at a provider, and lognormal sizes (mu, sigma)."""

    provider: str
    model: str
    input_mu: float
    input_sigma: float
    output_mu: float
    output_sigma: float
    reasoning_share: float


def gateways(number_of_gateways: int, tenants: Sequence[str]) -> list[Gateway]:
    """Spread the gateways over regions and tenants, so that each region has every tenant's."""
    regions = profiles.REGIONS
    return [
        Gateway(
            source=f"gateway-{number:03d}",
            tenant=tenants[(number % len(regions) + number // len(regions)) % len(tenants)],
            region=regions[number % len(regions)],
        )
        for number in range(number_of_gateways)
    ]


def gateway_weights(fleet: list[Gateway], at_ms: int) -> list[float]:
    """Cumulated weights of the gateways in the hour of ``at_ms``: each region's by its own day."""
    members: dict[str, int] = {}
    for gateway in fleet:
        members[gateway.region.name] = members.get(gateway.region.name, 0) + 1
    weights = []
    for gateway in fleet:
        local = event_time(at_ms).astimezone(ZoneInfo(gateway.region.zone))
        factor = profiles.demand_factor(local.weekday(), local.hour)
        weights.append(gateway.region.share * factor / members[gateway.region.name])
    return list(accumulate(weights))


def request_lines() -> tuple[list[Line], list[float]]:
    """Flatten models and their sizes to kinds of request with cumulated weights."""
    lines = []
    weights = []
    for profile in (*profiles.MODELS, *LISTENING):
        total = sum(weight for weight, _ in profile.sizes)
        for weight, size in profile.sizes:
            lines.append(
                Line(
                    profile.provider,
                    profile.model,
                    math.log(size.input_median),
                    size.input_sigma,
                    math.log(size.output_median),
                    size.output_sigma,
                    profile.reasoning_share,
                )
            )
            weights.append(profile.request_weight * weight / total)
    return lines, list(accumulate(weights))
