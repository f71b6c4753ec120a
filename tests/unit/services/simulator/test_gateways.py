"""Gateways: spread over regions and tenants, and weighted by each region's own day."""

from __future__ import annotations

from collections import defaultdict

import pytest

from services.simulator import profiles
from services.simulator.gateways import gateway_weights, gateways, request_lines
from services.simulator.price_profiles import LISTENING

#: A Sunday, 20:00 UTC: Monday morning in Shanghai, Sunday afternoon in New York.
START_MS = 1_773_604_800_000


def test_morning_in_asia_is_night_in_america() -> None:
    fleet = gateways(28, profiles.TENANTS)
    weights = gateway_weights(fleet, START_MS)
    share: defaultdict[str, float] = defaultdict(float)
    for gateway, low, high in zip(fleet, [0.0, *weights], weights, strict=False):
        share[gateway.region.name] += high - low
    by_day = {region.name: region.share for region in profiles.REGIONS}
    assert share["cn-north"] / by_day["cn-north"] < share["us-east"] / by_day["us-east"]


def test_each_region_serves_several_tenants() -> None:
    by_region: dict[str, set[str]] = {}
    for gateway in gateways(28, profiles.TENANTS):
        by_region.setdefault(gateway.region.name, set()).add(gateway.tenant)
    assert len(by_region) == len(profiles.REGIONS)
    assert all(len(tenants) > 2 for tenants in by_region.values())


def test_every_region_keeps_its_share_over_a_week() -> None:
    fleet = gateways(28, profiles.TENANTS)
    hour_ms = 3_600_000
    sums: defaultdict[str, float] = defaultdict(float)
    for hour in range(7 * 24):
        weights = gateway_weights(fleet, START_MS + hour * hour_ms)
        for gateway, low, high in zip(fleet, [0.0, *weights], weights, strict=False):
            sums[gateway.region.name] += (high - low) / (7 * 24)
    for region in profiles.REGIONS:
        assert sums[region.name] == pytest.approx(region.share, rel=0.04)


def test_request_lines_cover_every_model_at_every_provider() -> None:
    lines, weights = request_lines()
    assert len(lines) == len(weights)
    assert weights == sorted(weights)
    served = {(line.provider, line.model) for line in lines}
    assert served == {(model.provider, model.model) for model in (*profiles.MODELS, *LISTENING)}
