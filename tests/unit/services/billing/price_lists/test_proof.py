"""2,000 random requests cost by the price lists what genai-prices says, to the last digit.

Where they do not, the tariff is in `price_differences.yaml` with the reason, and nothing else is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
import yaml

from schemas.catalogue.listed_tariffs import ListsHeader
from schemas.catalogue.price_lists import PriceLists
from services.billing.price_lists.genai_package import read_genai_prices
from tests import price_requests
from tests.price_requests import Request, draw_requests, our_price, their_price, tier_is_listed

package = pytest.importorskip("genai_prices")
REQUESTS = 2_000
#: So many are drawn that some may be of a tier that is not listed, or of a name of another tariff.
DRAWN = 2_500
FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
DIFFERENCES = Path(price_requests.__file__).with_name("price_differences.yaml")


@cache
def lists() -> PriceLists:
    """The package's lists as they are drawn, each of a provider of its own name."""
    found = read_genai_prices(date(2026, 11, 26))
    names = dict.fromkeys(one.list for one in found.tariffs)
    header = ListsHeader(providers={name: (name,) for name in names}, calendars=found.calendars)
    return PriceLists(header=header, tariffs=found.tariffs)


def differences() -> dict[str, str]:
    return dict(yaml.safe_load(DIFFERENCES.read_text(encoding="utf-8")))


def requests(count: int, seed: int) -> list[Request]:
    """Requests by names that find the tariff that they were drawn for."""
    priced = [
        one
        for one in lists().tariffs
        if one.versions
        and lists().find(one.list, (one.names or (one.model.rpartition(":")[2],))[0]) is one
    ]
    drawn = draw_requests(priced, count, seed, FIRST, LAST)
    return [one for one in drawn if lists().find(one.tariff.list, one.name) is one.tariff]


def test_each_request_costs_what_the_package_says_to_the_last_digit() -> None:
    known, other = differences(), {}
    equal = unlisted = 0
    for request in requests(DRAWN, seed=1):
        ours, theirs = our_price(request, lists()), their_price(request, package)
        if not tier_is_listed(request, package):
            # The package falls back on the standard price; we bill no tier at another's price.
            assert ours is None or not any(request.classes.values()), request
            unlisted += 1
        elif ours == theirs:
            equal += 1
        else:
            other[request.tariff.tariff] = (ours, theirs)
    assert {name: prices for name, prices in other.items() if name not in known} == {}
    assert equal >= REQUESTS
    print(f"{equal} equal, {unlisted} of tiers without a price, {len(other)} known to differ")


def test_what_is_known_to_differ_does_and_hardly() -> None:
    """Each of the list differs in some request; by a rounded digit, or as the reason says."""
    by_name = {one.tariff: one for one in lists().tariffs}
    for name, reason in differences().items():
        tariff = by_name[name]
        drawn = draw_requests([tariff], 60, seed=2, first=FIRST, last=LAST)
        if reason.startswith("batch"):
            drawn = [replace(one, tier="batch", hour=LAST) for one in drawn]
        pairs = [
            (our_price(one, lists()), their_price(one, package))
            for one in drawn
            if tier_is_listed(one, package)
        ]
        unequal = [(ours, theirs) for ours, theirs in pairs if ours is not None and ours != theirs]
        assert unequal, f"{name} does not differ: take it off the list ({reason})"
        if reason.startswith("rounded"):
            assert all(abs(a - b) <= Decimal("0.0001") * max(a, b) for a, b in unequal), name


@pytest.mark.parametrize("seed", [3, 4])
def test_a_wrong_price_is_noticed(seed: int) -> None:
    """With one price of each tariff a little higher most requests differ: the proof proves."""
    noticed = 0
    drawn = requests(200, seed)
    for request in drawn:
        version = request.tariff.version_at(request.hour)
        if version is None or not version.prices or not tier_is_listed(request, package):
            continue
        variants = [
            variant.model_copy(
                update={
                    "prices": {
                        period: prices.model_copy(
                            update={
                                "uncached_input": Decimal("0.000000001")
                                + prices.price("uncached_input")
                            }
                        )
                        for period, prices in variant.prices.items()
                    }
                }
            )
            for variant in version.all_variants
        ]
        wrong = version.model_copy(
            update={"prices": variants[0].prices, "variants": tuple(variants[1:])}
        )
        tariff = request.tariff.model_copy(update={"versions": (wrong,)})
        changed = replace(request, tariff=tariff)
        noticed += our_price(changed, lists()) != their_price(request, package)
    assert noticed > 0.5 * len(drawn)
