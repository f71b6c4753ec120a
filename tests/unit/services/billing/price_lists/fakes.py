"""Models as genai-prices has them, and tariffs of price lists, in a few words each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from schemas.catalogue.listed_tariffs import ALWAYS, ListedTariff, ListedVersion
from schemas.catalogue.price_lists import PriceLists

DAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, tzinfo=UTC)
SOURCE = "genai-prices 1, https://prices.example"


class Prices(SimpleNamespace):
    """As `ModelPrice`: an attribute for each price, two of them equal if all are."""

    def __init__(self, **prices: object) -> None:
        super().__init__(
            **{
                name: Decimal(price) if isinstance(price, str) else price
                for name, price in prices.items()
            }
        )


def tiers(base: str, **by_threshold: str) -> Any:
    """As `TieredPrices`: ``tiers("1", above_200000="2")``."""
    return SimpleNamespace(
        base=Decimal(base),
        tiers=[
            SimpleNamespace(start=int(name.removeprefix("above_")), price=Decimal(price))
            for name, price in by_threshold.items()
        ],
    )


@dataclass(frozen=True)
class From:
    """As `StartDateConstraint`."""

    start_date: date

    def active(self, moment: datetime) -> bool:
        return moment.date() >= self.start_date


@dataclass(frozen=True)
class Between:
    """As `TimeOfDateConstraint`, within one day."""

    start_time: time
    end_time: time

    def active(self, moment: datetime) -> bool:
        return self.start_time <= moment.time() < self.end_time


@dataclass
class Model:
    """As `ModelInfo`: of prices under conditions the last that holds, then what variants say."""

    id: str = "m"
    prices: Any = field(default_factory=lambda: Prices(input_mtok="2", output_mtok="6"))
    price_variants: Any = None
    match: Any = field(default_factory=lambda: SimpleNamespace(equals="m"))

    def get_prices(
        self, request_timestamp: datetime, price_context: Mapping[str, str] | None = None
    ) -> Any:
        found = self.prices
        if isinstance(found, list):
            held = [
                one.prices
                for one in found
                if one.constraint is None or one.constraint.active(request_timestamp)
            ]
            found = held[-1] if held else found[0].prices
        values = dict(vars(found))
        for variant in self.price_variants or () if price_context else ():
            if variant.constraint is not None and not variant.constraint.active(request_timestamp):
                continue
            if all((price_context or {}).get(k) == v for k, v in variant.when.items()):
                values |= vars(variant.prices)
        return Prices(**values)


def when(constraint: object, **prices: object) -> Any:
    """As `ConditionalPrice`."""
    return SimpleNamespace(constraint=constraint, prices=Prices(**prices))


def variant(conditions: dict[str, str], constraint: object = None, **prices: object) -> Any:
    """As `PriceVariant`."""
    return SimpleNamespace(when=conditions, constraint=constraint, prices=Prices(**prices))


def clause(kind: str, said: object) -> Any:
    """As a clause: its one attribute says what it asks."""
    return SimpleNamespace(**{kind: said})


def version(
    output: str = "6",
    since: datetime = ALWAYS,
    *,
    source: str = SOURCE,
    seen: date = DAY,
    **more: Any,
) -> ListedVersion:
    prices = {
        "uncached_input": "2",
        "cache_read": {"same_as": "uncached_input"},
        "cache_write": {"same_as": "uncached_input"},
        "output": output,
        "reasoning": {"same_as": "output"},
    }
    fields = {"valid_from": since, "source": source, "source_date": seen}
    return ListedVersion.model_validate(fields | {"prices": {"flat": prices}} | more)


def tier(name: str, output: str, above: int = 0, **more: Any) -> dict[str, Any]:
    prices = version(output).prices
    return {"service_tier": name, "above_input_tokens": above, "prices": prices} | more


def tariff(
    model: str, *versions: ListedVersion, listed: str = "openai", **more: Any
) -> ListedTariff:
    held = [
        one.model_copy(update={"valid_to": later.valid_from})
        for one, later in zip(versions, versions[1:], strict=False)
    ]
    fields: dict[str, Any] = {"list": listed, "model": model, "names": (model,)}
    fields |= {"versions": (*held, *versions[-1:]) if versions else (version(),)}
    return ListedTariff.model_validate(fields | more)


def lists(*tariffs: ListedTariff, **header: Any) -> PriceLists:
    """Price lists, each of the provider that it is named by."""
    providers = {one.list.removeprefix("litellm."): (one.list,) for one in tariffs}
    return PriceLists.model_validate(
        {"header": {"providers": providers} | header, "tariffs": tariffs}
    )


def output_prices(one: ListedTariff) -> dict[str, str]:
    """Since when which price of output holds, in the standard tier."""
    return {
        f"{v.valid_from:%Y-%m-%d}": str(next(iter(v.prices.values())).price("output"))
        for v in one.versions
    }
