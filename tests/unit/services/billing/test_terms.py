"""Terms of a statement: what holds for all, what a tenant has of its own, whose number is whose."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.billing.terms import StatementSettings, Terms, derived_code, terms_of

FILE: dict[str, Any] = {
    "version": "1",
    "currency": "EUR",
    "payment_days": 14,
    "invoice_number": "WT-{year}/{month}-{code}",
    "issuer": {"name": "Example GmbH", "lines": ["Street 1"], "tax_id": "DE1"},
    "taxes": [{"name": "VAT", "percent": 19}],
    "payment": ["IBAN"],
    "tenants": {
        "acme": {
            "code": "0042",
            "name": "北京",
            "lines": ["Beijing"],
            "currency": "CNY",
            "taxes": [],
            "payment_days": 60,
        },
        "beta": {"taxes": [{"name": "reverse charge", "percent": 0}]},
    },
}


def terms(tenant: str, file: dict[str, Any] = FILE, **options: Any) -> Terms:
    given: dict[str, Any] = {"issued": date(2026, 12, 3), "preliminary": False} | options
    return terms_of(StatementSettings.model_validate(file), tenant, date(2026, 11, 1), **given)


def test_a_tenant_has_what_the_file_says_for_all() -> None:
    found = terms("gamma")
    assert found.currency == "EUR"
    assert found.number == f"WT-2026/11-{derived_code('gamma')}"
    assert (found.issued, found.due_date) == (date(2026, 12, 3), date(2026, 12, 17))
    assert found.issuer is not None and found.issuer.tax_id == "DE1"
    assert (found.customer.name, found.customer.lines) == ("gamma", ())
    assert [(one.name, one.percent) for one in found.taxes] == [("VAT", Decimal(19))]


def test_a_tenant_may_have_its_own() -> None:
    found = terms("acme")
    assert (found.currency, found.number) == ("CNY", "WT-2026/11-0042")
    assert found.due_date == date(2027, 2, 1)
    assert (found.customer.name, found.taxes) == ("北京", ())
    assert [one.percent for one in terms("beta").taxes] == [Decimal(0)]


def test_what_is_asked_for_goes_before_the_file() -> None:
    assert terms("acme", currency="JPY").currency == "JPY"


def test_a_month_that_is_not_over_has_no_invoice() -> None:
    found = terms("acme", preliminary=True)
    assert (found.number, found.due_date) == (None, None)


def test_without_a_file_it_is_plain() -> None:
    found = terms("acme", {"version": "none"})
    assert (found.currency, found.issuer, found.taxes) == ("USD", None, ())
    assert found.due_date == date(2027, 1, 2)


def test_numbers_of_two_tenants_and_of_two_months_differ() -> None:
    names = [f"tenant-{number}" for number in range(2000)]
    numbers = {terms(name, {"version": "1"}).number for name in names}
    assert len(numbers) == len(names)
    later = terms_of(
        StatementSettings(version="1"),
        "tenant-0",
        date(2026, 12, 1),
        issued=date(2027, 1, 1),
        preliminary=False,
    )
    assert later.number not in numbers


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"invoice_number": "{year}-{code}"}, "two invoices could have one number"),
        ({"invoice_number": "{year}{month}"}, "two invoices could have one number"),
        (
            {"invoice_number": "{year}{month}{code}{tenant}"},
            "'tenant' is nothing that a number has",
        ),
        ({"invoice_number": "{year}{month}{code}{"}, "'{' is nothing that a number has"),
        ({"currency": "RMB"}, "write CNY"),
        ({"taxes": [{"name": "VAT", "percent": 0.19}]}, "never a float"),
        ({"taxes": [{"name": "VAT", "percent": "101"}]}, "less than or equal to 100"),
        ({"taxes": [{"name": "VAT"}]}, "percent"),
        ({"payment_days": -1}, "payment_days"),
        ({"isuer": {}}, "isuer"),
        ({"tenants": {"a": {"code": "7"}, "b": {"code": "7"}}}, "two tenants have the code 7"),
        ({"tenants": {"a": {"code": "a/b"}}}, "code"),
    ],
)
def test_what_is_wrong_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match="(?s).*") as caught:
        StatementSettings.model_validate(FILE | change)
    assert complaint in str(caught.value)
