"""PURE. Who is billed in which currency, and by which rates of exchange: as on the statement.

FOCUS' costs and unit prices are in BillingCurrency, which is the statement's; PricingCurrency is
the tariff's. Where they differ, both are multiplied by one dated rate, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from services.billing.rates import Rate, RateBook
from services.billing.terms import StatementSettings, TenantTerms


@dataclass(frozen=True, slots=True)
class Account:
    """How a tenant is called on its statements, and the currency of those."""

    name: str
    currency: str


class Accounts:
    """All accounts of one month; ``day`` is the one whose rates convert it."""

    def __init__(self, settings: StatementSettings, rates: RateBook, day: date) -> None:
        self._settings = settings
        self._rates = rates
        self._day = day
        self.rate = lru_cache(maxsize=None)(self._rate)

    def of(self, tenant: str) -> Account:
        """A tenant's account: what the terms do not say of it is as for all."""
        own = self._settings.tenants.get(tenant, TenantTerms())
        return Account(own.name or tenant, own.currency or self._settings.currency)

    def _rate(self, from_currency: str, to_currency: str) -> Rate | None:
        """What converts; None where nothing is to be converted, as of what has no price.

        Raises `RateMissingError`.
        """
        if from_currency in ("", to_currency):
            return None
        return self._rates.rate(from_currency, to_currency, self._day)
