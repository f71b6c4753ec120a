"""`wattoken tariffs explain`: the edge that reads what was charged and prints why."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.billing.exact import money
from services.billing.explain_queries import Asked, Charge, read_charges
from services.billing.explanation import Explanation, explain
from services.billing.explanation_text import headline, reasons
from services.billing.stored_catalogue import read_stored_catalogue
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings
from services.platform.terminal import cell, console

_HOUR: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d)(:00)?Z?")


def parse_hour(text: str) -> datetime:
    """The start of an hour of UTC. Raises `ConfigurationError` if ``text`` is none."""
    found = _HOUR.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        return datetime.fromisoformat(f"{found[1]}T{found[2]}:00").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no hour: write 2026-11-01T10, in UTC, as usage is kept"
        ) from None


def explain_charges(asked: Asked, *, as_json: bool) -> bool:
    """Print why usage was charged as it was; whether the bill says the same.

    Raises `ConfigurationError` where there is no such usage.
    """
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        charges = read_charges(client, asked)
        catalogue = read_stored_catalogue(client)
    blocks = [
        (explain(catalogue, place), list(found))
        for (place, _), found in groupby(charges, key=lambda one: (one.place, one.unit != ""))
    ]
    doubtful = [one for explanation, found in blocks for one in contradicted(explanation, found)]
    if as_json:
        print(json.dumps([_document(*block) for block in blocks], indent=2))
    else:
        for explanation, found in blocks:
            _print(explanation, found)
    for charge in doubtful:
        say(
            f"error: the bill has {charge.currency} {money(charge.price)} by {charge.tariff_id} for"
            f" {charge.token_class or charge.unit}, which this does not explain: please report it",
            err=True,
        )
    return not doubtful


def contradicted(explanation: Explanation, charges: list[Charge]) -> list[Charge]:
    """The charges that are billed by another price, tariff or period than is explained."""
    return [one for one in charges if _billed(one) != _explained(explanation, one)]


def _billed(charge: Charge) -> tuple[Any, ...]:
    return charge.tariff_id, charge.tou_period, charge.currency, charge.price


def _explained(explanation: Explanation, charge: Charge) -> tuple[Any, ...]:
    price = explanation.price_of(charge.token_class, charge.unit).price
    chosen = explanation.chosen
    if price is None or chosen is None:
        return "unpriced", "unpriced", "", None
    return chosen.tariff.tariff, chosen.period, chosen.version.currency, price


def _print(explanation: Explanation, charges: list[Charge]) -> None:
    of_units = charges[0].unit != ""
    say(headline(explanation.place, of_units=of_units))
    for sentence in reasons(explanation, of_units=of_units):
        say(f"  {sentence}")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("entry", "what", "billed as", "quantity", "price", "amount"):
        number = column in ("quantity", "price", "amount")
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for one in charges:
        each = "thousand" if one.unit else "million tokens"
        billed_as = explanation.price_of(one.token_class, one.unit).billed_as
        price = "unpriced" if one.price is None else f"{money(one.price)} a {each}"
        currency = f"{one.currency} " if one.currency else ""
        table.add_row(
            *(cell(one.entry), cell(one.token_class or one.unit)),
            *(cell("" if billed_as == one.token_class else billed_as), f"{one.quantity:,}"),
            *(price, currency + money(one.amount)),
        )
    console().print(table)


def _document(explanation: Explanation, charges: list[Charge]) -> dict[str, Any]:
    """One block for scripts; money is text, to the last digit."""
    place = explanation.place
    return {
        "region": place.region,
        "provider": place.provider,
        "model": place.model,
        "hour": f"{place.hour:%Y-%m-%dT%H:%M:%SZ}",
        "service_tier": place.service_tier,
        "context_band": place.context_band,
        "reasons": reasons(explanation, of_units=charges[0].unit != ""),
        "charges": [
            {
                "entry": one.entry,
                "token_class": one.token_class,
                "unit": one.unit,
                "billed_as": explanation.price_of(one.token_class, one.unit).billed_as,
                "tariff_id": one.tariff_id,
                "tou_period": one.tou_period,
                "quantity": one.quantity,
                "currency": one.currency or None,
                "price": None if one.price is None else f"{one.price:f}",
                "amount": None if one.amount is None else f"{one.amount:f}",
            }
            for one in charges
        ],
    }
