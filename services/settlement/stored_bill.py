"""PURE. A settled bill's file as values again: its charges, and what demand comes to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from services.settlement.canonical import Body
from services.settlement.charges import Charge, Demand, DemandCharge, Price, Usage
from services.settlement.comparison import Bill

_HOUR = "%Y-%m-%dT%H:%M:%SZ"


def read_bill_file(content: bytes) -> Bill:
    """Read what `bill.Publisher.bill` wrote."""
    document = json.loads(content)
    charges = [
        _charge(leaf["body"], one)
        for leaf in document["readings"]
        for one in leaf["body"]["charges"]
    ]
    demand = [
        _demand(leaf["body"]) for leaf in document["lines"] if leaf["body"]["line"] == "demand"
    ]
    return Bill(tuple(charges), tuple(demand))


def _charge(reading: Body, one: Body) -> Charge:
    usage = Usage(
        *(reading["region"], reading["provider"], reading["model"]),
        *(reading["entry"], reading["tier"], int(reading["band"])),
    )
    labels = (_hour(reading["hour"]), usage, one["class"], one["unit"], int(one["quantity"]))
    if "price" not in one:
        return Charge(*labels, None, None)
    price = Price(one["tou"], one["tariff"], one["currency"], Decimal(one["price"]))
    return Charge(*labels, price, Decimal(one["amount"]))


def _demand(line: Body) -> Demand:
    charge = DemandCharge(line["region"], line["tariff"], Decimal(line["price"]), line["currency"])
    return Demand(charge, _hour(line["hour"]), int(line["quantity"]))


def _hour(text: str) -> datetime:
    return datetime.strptime(text, _HOUR).replace(tzinfo=UTC)
