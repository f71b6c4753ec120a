"""The cast of charges: costs, quantities, corrections, and what has no price."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.focus.charge_rows import plain, shifted
from services.billing.rates import RateMissingError
from tests.unit.services.billing.focus.charges import (
    CREDITED,
    DEMANDED,
    HOUR,
    MONTH,
    RATE,
    SEARCHED,
    UNPRICED,
    USED,
    row_of,
)


def test_usage_of_an_hour() -> None:
    row = row_of(USED, "Grid Ltd")
    assert (row.charge_category, row.charge_class) == ("Usage", None)
    assert (row.consumed_quantity, row.consumed_unit) == (Decimal(1_234_567), "Tokens")
    assert (row.pricing_quantity, row.pricing_unit) == (Decimal("1.234567"), "1000000 Tokens")
    assert row.billed_cost == row.effective_cost == row.list_cost == row.contracted_cost
    assert row.list_unit_price is not None
    assert row.list_unit_price == row.contracted_unit_price == 10
    assert row.list_unit_price * row.pricing_quantity == row.list_cost
    assert (row.charge_period_start, row.charge_period_end) == HOUR
    assert (row.billing_period_start, row.billing_period_end) == MONTH
    assert (row.service_provider_name, row.host_provider_name) == ("openai", "openai")
    assert (row.invoice_issuer_name, row.billing_account_id) == ("Grid Ltd", "acme")
    assert row.service_category == "AI and Machine Learning"
    assert (row.x_service_tier, row.x_token_class, row.x_unit) == (None, "output", None)
    assert row.charge_description == (
        "Output Tokens of gpt-5 at openai, standard tier; USD 10 per 1000000 Tokens"
    )


def test_a_credit_is_a_correction_with_a_negative_quantity() -> None:
    row = row_of(CREDITED)
    assert (row.charge_class, row.x_entry) == ("Correction", "credit")
    assert (row.consumed_quantity, row.pricing_quantity) == (Decimal(-100), Decimal("-0.0001"))
    assert row.list_unit_price is not None and row.list_unit_price > 0
    assert row.list_unit_price * row.pricing_quantity == row.billed_cost == Decimal("-0.001")
    assert row.charge_description.startswith("credit: Output Tokens")


def test_a_debit_is_a_correction_with_a_positive_quantity() -> None:
    row = row_of(replace(USED, entry="debit"))
    assert (row.charge_class, row.consumed_quantity) == ("Correction", Decimal(1_234_567))


def test_usage_without_a_price_is_billed_with_nothing_and_has_no_price() -> None:
    row = row_of(UNPRICED)
    assert row.billed_cost == row.list_cost == 0
    assert row.list_unit_price is None and row.contracted_unit_price is None
    assert row.consumed_quantity == 1_234_567
    assert row.charge_description.endswith("; no price fits")
    assert (row.x_tariff_id, row.x_time_of_use_period) == (None, None)


def test_units_have_a_unit_of_their_own() -> None:
    row = row_of(SEARCHED)
    assert (row.consumed_quantity, row.consumed_unit) == (Decimal(3), "Web Searches")
    assert (row.pricing_quantity, row.pricing_unit) == (Decimal("0.003"), "1000 Web Searches")
    assert (row.x_unit, row.x_token_class) == ("web_searches", None)


def test_a_demand_charge_is_of_the_whole_month() -> None:
    row = row_of(DEMANDED)
    assert (row.charge_period_start, row.charge_period_end) == MONTH
    assert (row.consumed_quantity, row.consumed_unit) == (Decimal(700), "Tokens/Second")
    assert row.list_unit_price is not None
    assert row.list_unit_price * row.pricing_quantity == row.billed_cost == 35
    assert (row.region_id, row.region_name, row.host_provider_name) == (None, None, None)
    assert row.service_provider_name == "Grid"
    there = row_of(replace(DEMANDED, scope="us-east"))
    assert there.region_id == there.region_name == "us-east"
    assert there.sku_id != row.sku_id


def test_a_statement_in_another_currency_converts_costs_and_prices_alike() -> None:
    row = row_of(replace(USED, tenant="dragon"))
    assert (row.billing_currency, row.pricing_currency) == ("CNY", "USD")
    assert row.x_exchange_rate == RATE.rate
    assert row.list_unit_price == Decimal("71.123456789010")
    assert row.billed_cost == row.list_cost == row.effective_cost
    assert row.list_unit_price is not None
    with localcontext(prec=100):
        assert row.billed_cost == Decimal("12.34567") * RATE.rate
        assert row.list_unit_price * row.pricing_quantity == row.billed_cost
    assert row.charge_description.endswith(
        "; USD 10 per 1000000 Tokens, x 7.112345678901 CNY (2026-10-30, a bank)"
    )
    demand = row_of(replace(DEMANDED, tenant="dragon"))
    assert (demand.billing_currency, demand.billed_cost) == ("CNY", Decimal(35) * RATE.rate)


def test_who_is_billed_in_the_currency_of_the_price_needs_no_rate() -> None:
    row = row_of(replace(USED, tenant="dragon", currency="CNY"))
    assert (row.billing_currency, row.pricing_currency) == ("CNY", "CNY")
    assert (row.billed_cost, row.x_exchange_rate) == (USED.amount, None)
    assert row.billing_account_name == "Dragon Ltd"
    unpriced = row_of(replace(UNPRICED, tenant="dragon"))
    assert (unpriced.billing_currency, unpriced.pricing_currency) == ("CNY", "CNY")


def test_a_rate_that_is_missing_is_said() -> None:
    with pytest.raises(RateMissingError, match="no rate of EUR to USD for 2026-10-31"):
        row_of(replace(USED, currency="EUR"))


@given(st.integers(-(10**45), 10**45), st.sampled_from([3, 6]))
def test_a_quantity_in_units_of_its_price_is_exact(number: int, exponent: int) -> None:
    found = shifted(number, exponent)
    with localcontext(prec=100):
        assert found * 10**exponent == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("10.000000000", "10"),
        ("0.000000000000001", "0.000000000000001"),
        ("-0.50", "-0.5"),
        ("0E-15", "0"),
        ("-0.000", "0"),
        ("1E+3", "1000"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ],
)
def test_numbers_are_written_with_all_their_digits_and_no_more(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
