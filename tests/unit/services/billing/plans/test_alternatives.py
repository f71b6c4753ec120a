"""Every plan that differs in one thing."""

from __future__ import annotations

from services.billing.plans.alternatives import alternatives
from services.billing.plans.known import Known
from services.billing.plans.plan import Plan
from tests.unit.services.billing.plans.known_world import FLASH, GPT, KNOWN, OWN, known


def named(given: Known = KNOWN, *, running: bool = False) -> dict[str, Plan]:
    found = alternatives(given, running=running)
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def test_what_the_catalogue_has_and_no_more() -> None:
    assert [*named()] == [
        *("tariff any", "at azure", "at router"),
        *("in cn-north", "in eu", "in us-east", "tier batch"),
    ]


def test_a_tariff_that_bills_nothing_of_what_it_is_for() -> None:
    assert named()["tariff any"].tariffs == {GPT: "any", FLASH: "any"}
    half = known(billed={GPT: frozenset({"any", "gpt"}), FLASH: frozenset({"flash"})})
    assert named(half)["tariff any"].tariffs == {FLASH: "any"}


def test_a_provider_takes_what_it_has_a_price_for() -> None:
    assert named()["at azure"].labels == {GPT: GPT._replace(provider="azure", model="gpt-5-eastus")}
    assert set(named()["at router"].labels) == {GPT, FLASH}
    assert not named()["at router"].other_models


def test_a_region_takes_what_is_elsewhere() -> None:
    assert named()["in us-east"].labels == {FLASH: FLASH._replace(region="us-east")}
    assert set(named()["in eu"].labels) == {GPT, FLASH, OWN}
    assert "in eu" not in named(known(regions=frozenset()))


def test_a_tier_takes_what_has_a_price_in_it() -> None:
    assert named()["tier batch"].tiers == {GPT: "batch"}


def test_hours_where_a_price_depends_on_them_and_the_month_is_over() -> None:
    by_time = known(by_time_of_use=True)
    hours = [one.shift_hours for one in alternatives(by_time, running=False) if one.kind == "hour"]
    assert hours == [*range(1, 24)]
    assert not any(one.shift_hours for one in alternatives(by_time, running=True))
