"""PURE. The terms of a statement: who bills whom, in which currency, with which taxes, due when.

They stand in a file of the operator's (`WATTOKEN_STATEMENT_SETTINGS_FILE`, docs/statements.md);
without one a statement is in USD, without taxes, and names the tenant only.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.catalogue.currencies import USD, Currency
from schemas.catalogue.entries import Entry, Text
from schemas.catalogue.prices import no_float

PERCENT_DECIMALS: Final = 6
#: What an invoice number must have in it, so that no two months or tenants have the same.
NUMBER_FIELDS: Final = frozenset({"year", "month", "code"})
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_DERIVED_CODE_LENGTH: Final = 12


def _telling(template: str) -> str:
    found = set(_FIELD.findall(template))
    strange = sorted(found - NUMBER_FIELDS) or sorted(set(_FIELD.sub("", template)) & set("{}"))
    if strange:
        raise ValueError(f"{strange[0]!r} is nothing that a number has: {_fields()}")
    if found < NUMBER_FIELDS:
        raise ValueError(f"two invoices could have one number: it must have {_fields()}")
    return template


def _fields() -> str:
    return ", ".join(f"{{{name}}}" for name in ("year", "month", "code"))


Lines = Annotated[tuple[Text, ...], Field(max_length=12)]


class Party(Entry):
    """Who bills or pays: a name, an address of some lines, and a number for tax, if there is."""

    name: Text
    lines: Lines = ()
    tax_id: Text | None = None


class Tax(Entry):
    """A tax on the sum of all charges; ``percent`` of 0 is a line all the same."""

    name: Text
    percent: Annotated[
        Decimal,
        BeforeValidator(no_float),
        Field(ge=0, le=100, decimal_places=PERCENT_DECIMALS, allow_inf_nan=False),
    ]


class TenantTerms(Entry):
    """What is different for a tenant; what is not said is as for all."""

    #: Stands for the tenant in numbers of invoices.
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", max_length=32)] | None = None
    name: Text | None = None
    lines: Lines = ()
    tax_id: Text | None = None
    currency: Currency | None = None
    payment_days: Annotated[int, Field(ge=0, le=366)] | None = None
    taxes: tuple[Tax, ...] | None = None


class StatementSettings(Entry):
    """The whole file."""

    version: Text
    currency: Currency = USD
    payment_days: Annotated[int, Field(ge=0, le=366)] = 30
    invoice_number: Annotated[str, AfterValidator(_telling), Field(max_length=128)] = (
        "{year}{month}-{code}"
    )
    issuer: Party | None = None
    #: How to pay, as it is to be printed.
    payment: Lines = ()
    taxes: tuple[Tax, ...] = ()
    tenants: dict[Text, TenantTerms] = {}

    @model_validator(mode="after")
    def _codes(self) -> Self:
        codes = Counter(one.code for one in self.tenants.values() if one.code is not None)
        twice = sorted(code for code, count in codes.items() if count > 1)
        if twice:
            raise ValueError(f"two tenants have the code {twice[0]}")
        return self


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one statement.

    ``number`` and ``due_date`` are None of a statement that is no invoice yet.
    """

    currency: str
    number: str | None
    issued: date
    due_date: date | None
    issuer: Party | None
    customer: Party
    taxes: tuple[Tax, ...]
    payment: tuple[str, ...]


def terms_of(
    settings: StatementSettings,
    tenant: str,
    period_start: date,
    *,
    issued: date,
    currency: str | None = None,
    preliminary: bool,
) -> Terms:
    """The terms of a tenant's statement of a month; ``currency`` given goes before the file's."""
    own = settings.tenants.get(tenant, TenantTerms())
    days = settings.payment_days if own.payment_days is None else own.payment_days
    return Terms(
        currency=currency or own.currency or settings.currency,
        number=None
        if preliminary
        else _number(settings, own.code or derived_code(tenant), period_start),
        issued=issued,
        due_date=None if preliminary else issued + timedelta(days=days),
        issuer=settings.issuer,
        customer=Party(name=own.name or tenant, lines=own.lines, tax_id=own.tax_id),
        taxes=settings.taxes if own.taxes is None else own.taxes,
        payment=settings.payment,
    )


def derived_code(tenant: str) -> str:
    """The code of a tenant that was given none: the same at each call, for any name."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:_DERIVED_CODE_LENGTH].upper()


def _number(settings: StatementSettings, code: str, period_start: date) -> str:
    values = {"year": f"{period_start:%Y}", "month": f"{period_start:%m}", "code": code}
    return _FIELD.sub(lambda found: values[found[1]], settings.invoice_number)
