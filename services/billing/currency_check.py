"""What is wrong with currencies of a catalogue: prices that no rate converts, old rates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from schemas.catalogue import Catalogue
from schemas.catalogue.currencies import USD
from services.billing.findings import Finding


def currency_findings(catalogue: Catalogue, now: datetime) -> Iterator[Finding]:
    """Say of each currency whether amounts in it can be converted, and until when."""
    rates = catalogue.rates.rates
    priced = {version.currency for one in catalogue.tariffs.tariffs for version in one.versions} - {
        USD
    }
    for currency in sorted(priced - {one.from_currency for one in rates}):
        message = f"prices are in it, and rates.yaml has no rate from {currency}: no statement in"
        yield Finding("note", "no_rates", currency, f"{message} another currency can be made")
    latest: dict[tuple[str, str], date] = {}
    for one in rates:
        pair = (one.from_currency, one.to_currency)
        latest[pair] = max(latest.get(pair, one.date), one.date)
    for (source, target), day in sorted(latest.items()):
        last = day + timedelta(days=catalogue.rates.max_age_days)
        if last < now.date():
            yield Finding(
                "warning",
                "rates_end",
                f"{source} to {target}",
                f"its latest rate is of {day}: no statement that needs one of a day after {last}"
                " can be made",
            )
