"""PURE. The columns of a FOCUS 1.4 dataset "Cost and Usage" that Wattoken writes, and their types.

FOCUS, the FinOps Open Cost and Usage Specification, has 65 columns for it in version 1.4 (ratified
2026-06-04, https://focus.finops.org/focus-specification/v1-4/). Here are all that are mandatory:

    BilledCost, BillingAccountId, BillingAccountName, BillingCurrency, BillingPeriodEnd,
    BillingPeriodStart, ChargeCategory, ChargeClass, ChargeDescription, ChargePeriodEnd,
    ChargePeriodStart, ContractedCost, EffectiveCost, HostProviderName, InvoiceIssuerName, ListCost,
    PricingQuantity, PricingUnit, ServiceCategory, ServiceName, ServiceProviderName

the recommended ChargeFrequency and ServiceSubcategory, and of the conditional ones those whose
condition holds here: measured usage (ConsumedQuantity, ConsumedUnit), regions (RegionId,
RegionName), unit prices and a list of them (ContractedUnitPrice, ListUnitPrice, SkuId, SkuMeter,
SkuPriceDetails, SkuPriceId), prices in another currency than the bill (PricingCurrency). Nothing
here is provisioned, committed to, allocated or tagged, and each charge is priced in one way, so the
others are left out, as the specification has it. Columns of our own begin with ``x_`` (attribute
CustomColumnHandling).

What the attributes ask of values, and who sees to it: NumericFormat (a number without a sign, an
exponent or commas) and DateTimeFormat (UTC, to the second, with a Z): `csv_file`; NullHandling (an
absent value is null, never '' or 0): `charge_rows`; UnitFormat and KeyValueFormat: `sku`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

FOCUS_VERSION: Final = "1.4"
#: Its name in the metadata.
DATASET_ID: Final = "CostAndUsage"

Kind = Literal["string", "json", "datetime", "decimal", "integer"]
Value = str | datetime | Decimal | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusRow:
    """A row: columns in the order of the file, each named as FOCUS names it but for the case.

    Costs, prices and BillingCurrency go together. Times are aware, in UTC; ends are exclusive.
    """

    billed_cost: Decimal
    billing_account_id: str
    billing_account_name: str
    billing_currency: str
    billing_period_end: datetime
    billing_period_start: datetime
    charge_category: str
    charge_class: str | None
    charge_description: str
    charge_frequency: str
    charge_period_end: datetime
    charge_period_start: datetime
    consumed_quantity: Decimal
    consumed_unit: str
    contracted_cost: Decimal
    contracted_unit_price: Decimal | None
    effective_cost: Decimal
    host_provider_name: str | None
    invoice_issuer_name: str
    list_cost: Decimal
    list_unit_price: Decimal | None
    pricing_currency: str
    pricing_quantity: Decimal
    pricing_unit: str
    region_id: str | None
    region_name: str | None
    service_category: str
    service_name: str
    service_provider_name: str
    service_subcategory: str
    sku_id: str
    sku_meter: str
    sku_price_details: str
    sku_price_id: str
    x_context_band: int | None
    x_entry: str | None
    x_exchange_rate: Decimal | None
    x_model_name: str | None
    x_service_tier: str | None
    x_tariff_id: str | None
    x_time_of_use_period: str | None
    x_token_class: str | None
    x_unit: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file, and the field of `FocusRow` that it shows.

    ``scale`` is the greatest number of decimals, of a column of kind decimal.
    """

    name: str
    field: str
    kind: Kind
    nullable: bool
    scale: int


#: Of 38 digits, which is what readers of Parquet hold, so many are behind the point. A price has 9,
#: a quantity in units of it 6, a rate of exchange 12; what is multiplied is exact.
SCALES: Final = {
    **dict.fromkeys(("billed_cost", "contracted_cost", "effective_cost", "list_cost"), 27),
    **dict.fromkeys(("contracted_unit_price", "list_unit_price"), 21),
    "x_exchange_rate": 12,
    "consumed_quantity": 0,
    "pricing_quantity": 6,
}
PRECISION: Final = 38
_KINDS: Final[dict[str, Kind]] = {
    "str": "string",
    "datetime": "datetime",
    "Decimal": "decimal",
    "int": "integer",
}
_CUSTOM: Final = "x_"


def column_name(field: str) -> str:
    """The name of a field's column: `billed_cost` is BilledCost, `x_unit` is x_Unit."""
    prefix = _CUSTOM if field.startswith(_CUSTOM) else ""
    words = field.removeprefix(_CUSTOM).split("_")
    return prefix + "".join(word.capitalize() for word in words)


def _columns() -> tuple[Column, ...]:
    found = []
    for field in fields(FocusRow):
        plain = str(field.type).removesuffix(" | None")
        kind = "json" if field.name == "sku_price_details" else _KINDS[plain]
        found.append(
            Column(
                name=column_name(field.name),
                field=field.name,
                kind=kind,
                nullable=plain != str(field.type),
                scale=SCALES.get(field.name, 0),
            )
        )
    return tuple(found)


#: In the order of the file.
COLUMNS: Final = _columns()


def values(row: FocusRow) -> tuple[Value, ...]:
    """A row's values, in the order of `COLUMNS`."""
    return tuple(getattr(row, column.field) for column in COLUMNS)
