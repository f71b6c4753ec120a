"""The columns: names, kinds, and all that FOCUS 1.4 makes mandatory."""

from __future__ import annotations

import importlib.util
import json
from importlib import resources

import pytest

from services.billing.focus.columns import COLUMNS, PRECISION, SCALES, column_name, values
from tests.unit.services.billing.focus.charges import USED, row_of

#: By hand from the specification's page of each column (feature level "Mandatory").
MANDATORY = {
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass"),
    *("ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost"),
    *("EffectiveCost", "HostProviderName", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ServiceCategory", "ServiceName", "ServiceProviderName"),
}


def test_all_mandatory_columns_are_there_once() -> None:
    names = [column.name for column in COLUMNS]
    assert set(names) >= MANDATORY
    assert len(set(names)) == len(names)


def test_columns_of_focus_come_first_and_others_are_marked() -> None:
    own = [column.name.startswith("x_") for column in COLUMNS]
    assert own == sorted(own)
    focus = [column.name for column in COLUMNS if not column.name.startswith("x_")]
    assert focus == sorted(focus)


def test_names_are_those_of_focus() -> None:
    assert column_name("sku_price_id") == "SkuPriceId"
    assert column_name("x_token_class") == "x_TokenClass"


def test_money_and_quantities_are_decimals_of_known_size() -> None:
    decimals = {column.field: column.scale for column in COLUMNS if column.kind == "decimal"}
    assert decimals == SCALES
    assert all(scale < PRECISION for scale in decimals.values())


def test_values_stand_in_the_order_of_the_columns() -> None:
    row = row_of(USED)
    given = dict(zip((column.name for column in COLUMNS), values(row), strict=True))
    assert given["BilledCost"] == row.billed_cost
    assert given["x_ModelName"] == "gpt-5"


def test_the_published_model_of_focus_1_4_agrees() -> None:
    """focus-data-toolkit extracts it from the FinOps Foundation's workbook of the data model."""
    if importlib.util.find_spec("focus_data_toolkit") is None:
        pytest.skip("focus-data-toolkit is not installed")
    text = resources.files("focus_data_toolkit.model").joinpath("focus_1_4_model.json").read_text()
    model = json.loads(text)["datasets"]["Cost and Usage"]["columns"]
    mandatory = {name for name, one in model.items() if one["feature_level"] == "Mandatory"}
    assert mandatory == MANDATORY
    kinds = {"Decimal": "decimal", "Date/Time": "datetime", "String": "string", "JSON": "json"}
    for column in COLUMNS:
        if not column.name.startswith("x_"):
            assert column.kind == kinds[model[column.name]["data_type"]], column.name
            assert model[column.name]["allows_nulls"] or not column.nullable, column.name
