"""PURE. Charges as rows of FOCUS: a cast of the columns of `charges` and of demand charges.

How they are cast, by rule of the specification:

- BilledCost, EffectiveCost, ContractedCost and ListCost are all the amount that is billed: nothing
  is paid ahead, committed to or discounted here. EffectiveCost MUST match BilledCost of a charge
  that covers no other and is covered by none; ListCost MUST equal ListUnitPrice x PricingQuantity.
- What a debit or a credit corrects is ChargeClass "Correction"; all else has null there. Quantities
  of a credit are negative, as its amount is and as prices MUST NOT be.
- Usage that no price fits is billed with nothing: its BilledCost is 0, since that MUST NOT be null,
  and its unit prices are null, since an absent number MUST NOT be a placeholder such as 0. FOCUS
  knows no such row, and asks for a price of every SkuPriceId: `wattoken focus` says so.
- Costs and unit prices are in the currency of the tenant's statement, converted as there.
- A demand charge is usage of the whole month, in tokens per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from services.billing.exact import times
from services.billing.focus.accounts import Account, Accounts
from services.billing.focus.columns import FocusRow
from services.billing.focus.sku import Sku, joined, key_values
from services.billing.rates import Rate

USAGE: Final = "Usage"
CORRECTION: Final = "Correction"
USAGE_BASED: Final = "Usage-Based"
SERVICE_CATEGORY: Final = "AI and Machine Learning"
SERVICE_SUBCATEGORY: Final = "Generative AI"
DEMAND_SERVICE: Final = "Token Demand"
DEMAND_METER: Final = "Peak Demand"
DEMAND_UNIT: Final = "Tokens/Second"
#: The scope of a demand charge on all regions together.
EVERYWHERE: Final = "*"
NOTHING: Final = Decimal(0)


class Span(NamedTuple):
    """A stretch of time, half-open, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """Charges of a tenant for one SKU at one price within a span: ``quantity`` and ``amount`` sums.

    ``price`` is per million tokens, or thousand units; it and ``amount`` are None where none fits.
    Both are in ``currency``, which is '' then. ``amount`` is negative of a credit, ``quantity``
    never.
    """

    span: Span
    tenant: str
    sku: Sku
    entry: str
    tariff_id: str
    quantity: int
    price: Decimal | None
    amount: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """What a tenant owes for its highest demand in a month; ``scope`` is a region, or `EVERYWHERE`.

    ``price`` is per token per second, in ``currency`` as ``amount`` is.
    """

    tenant: str
    scope: str
    demand_charge_id: str
    tokens_per_second: int
    price: Decimal
    amount: Decimal
    currency: str


class _Texts(NamedTuple):
    sku_id: str
    price_id: str
    details: str
    description: str


@lru_cache(maxsize=65_536)
def _texts(sku: Sku) -> _Texts:
    return _Texts(sku.id, sku.price_id, sku.price_details, sku.description)


class Billed(NamedTuple):
    """A charge as it is billed: in the account's currency, by a rate where it has another."""

    account: Account
    rate: Rate | None
    cost: Decimal
    unit_price: Decimal | None
    #: What ChargeDescription says of the price.
    words: str


def billed(
    accounts: Accounts,
    charge: Charge | DemandCharge,
    unit: str,
) -> Billed:
    """Bill a charge; raises `RateMissingError`."""
    account = accounts.of(charge.tenant)
    rate = accounts.rate(charge.currency, account.currency)
    if charge.price is None or charge.amount is None:
        return Billed(account, None, NOTHING, None, "no price fits")
    words = f"{charge.currency} {plain(charge.price)} per {unit}"
    if rate is None:
        return Billed(account, None, charge.amount, charge.price, words)
    words += f", x {plain(rate.rate)} {rate.to_currency} ({rate.day}, {rate.source})"
    cost, price = (times(one, rate.rate) for one in (charge.amount, charge.price))
    return Billed(account, rate, cost, price, words)


def usage_row(charge: Charge, period: Span, issuer: str, accounts: Accounts) -> FocusRow:
    """The row of a charge for tokens or units; ``period`` is its month.

    Raises `RateMissingError`.
    """
    sku, texts = charge.sku, _texts(charge.sku)
    quantity = -charge.quantity if charge.entry == "credit" else charge.quantity
    account, rate, cost, price, words = billed(accounts, charge, sku.pricing_unit)
    what = texts.description if charge.entry == "usage" else f"{charge.entry}: {texts.description}"
    return FocusRow(
        billed_cost=cost,
        billing_account_id=charge.tenant,
        billing_account_name=account.name,
        billing_currency=account.currency,
        billing_period_end=period.end,
        billing_period_start=period.start,
        charge_category=USAGE,
        charge_class=None if charge.entry == "usage" else CORRECTION,
        charge_description=f"{what}; {words}",
        charge_frequency=USAGE_BASED,
        charge_period_end=charge.span.end,
        charge_period_start=charge.span.start,
        consumed_quantity=Decimal(quantity),
        consumed_unit=sku.consumed_unit,
        contracted_cost=cost,
        contracted_unit_price=price,
        effective_cost=cost,
        host_provider_name=sku.provider,
        invoice_issuer_name=issuer,
        list_cost=cost,
        list_unit_price=price,
        pricing_currency=charge.currency or account.currency,
        pricing_quantity=shifted(quantity, sku.exponent),
        pricing_unit=sku.pricing_unit,
        region_id=sku.region,
        region_name=sku.region,
        service_category=SERVICE_CATEGORY,
        service_name=f"{sku.provider} Generative AI API",
        service_provider_name=sku.provider,
        service_subcategory=SERVICE_SUBCATEGORY,
        sku_id=texts.sku_id,
        sku_meter=sku.meter,
        sku_price_details=texts.details,
        sku_price_id=texts.price_id,
        x_context_band=sku.context_band,
        x_entry=charge.entry,
        x_exchange_rate=None if rate is None else rate.rate,
        x_model_name=sku.model,
        x_service_tier=sku.service_tier or None,
        x_tariff_id=None if charge.price is None else charge.tariff_id,
        x_time_of_use_period=None if charge.price is None else sku.tou_period,
        x_token_class=sku.token_class or None,
        x_unit=sku.unit or None,
    )


def demand_row(charge: DemandCharge, period: Span, issuer: str, accounts: Accounts) -> FocusRow:
    """The row of a demand charge: one for a month, tenant and scope.

    Raises `RateMissingError`.
    """
    account, rate, cost, price, words = billed(accounts, charge, DEMAND_UNIT)
    region = None if charge.scope == EVERYWHERE else charge.scope
    where = "all regions" if region is None else region
    sku_id = joined("demand", charge.scope)
    return FocusRow(
        billed_cost=cost,
        billing_account_id=charge.tenant,
        billing_account_name=account.name,
        billing_currency=account.currency,
        billing_period_end=period.end,
        billing_period_start=period.start,
        charge_category=USAGE,
        charge_class=None,
        charge_description=f"{DEMAND_METER} in {where}, whole tokens per second; {words}",
        charge_frequency=USAGE_BASED,
        charge_period_end=period.end,
        charge_period_start=period.start,
        consumed_quantity=Decimal(charge.tokens_per_second),
        consumed_unit=DEMAND_UNIT,
        contracted_cost=cost,
        contracted_unit_price=price,
        effective_cost=cost,
        host_provider_name=None,
        invoice_issuer_name=issuer,
        list_cost=cost,
        list_unit_price=price,
        pricing_currency=charge.currency,
        pricing_quantity=Decimal(charge.tokens_per_second),
        pricing_unit=DEMAND_UNIT,
        region_id=region,
        region_name=region,
        service_category=SERVICE_CATEGORY,
        service_name=DEMAND_SERVICE,
        service_provider_name=issuer,
        service_subcategory=SERVICE_SUBCATEGORY,
        sku_id=sku_id,
        sku_meter=DEMAND_METER,
        sku_price_details=key_values(x_DemandChargeId=charge.demand_charge_id),
        sku_price_id=f"{sku_id}/{joined(charge.demand_charge_id)}",
        x_context_band=None,
        x_entry=None,
        x_exchange_rate=None if rate is None else rate.rate,
        x_model_name=None,
        x_service_tier=None,
        x_tariff_id=charge.demand_charge_id,
        x_time_of_use_period=None,
        x_token_class=None,
        x_unit=None,
    )


def shifted(number: int, exponent: int) -> Decimal:
    """A whole number divided by a power of ten, exactly: no context of Decimal takes part."""
    return Decimal(f"{number}E-{exponent}")


def plain(number: Decimal) -> str:
    """All digits of a number and no more: no exponent, no zeros at the end, no -0."""
    digits = f"{number:f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits
