"""Bills made without a database: two tenants, two months, runs one after the other."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.settlement.bill import Head, Publisher, Terms, earlier_head, make_statement, signed
from services.settlement.charges import Charge, DemandCharge, Price, Usage, demand_of
from services.settlement.merkle import Tree
from services.verify.ed25519 import is_signed

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
DEMAND: Final = (
    DemandCharge("*", "all", Decimal("0.5")),
    DemandCharge("eu", "eu", Decimal("0.25")),
)
TENANTS: Final = ("acme", "北京", "zenith")
#: Bills are checked thousands of times over, most of whose signatures are the same ones.
check: Final = cache(is_signed)


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def charges(seed: int, month: datetime, *, hours: int = 3) -> list[Charge]:
    """Some charges of some hours: tokens and units, credits, what has no price, two currencies."""
    drawn = random.Random(seed)
    found = []
    for number in range(hours):
        hour = month + timedelta(hours=11 * number)
        for usage in (
            Usage("eu", "p", "m-1", "usage", "", 0),
            Usage("eu", "p", "m-1", "credit", "batch", 1000),
            Usage("us", "p", "unheard-of", "usage", "", 0),
            Usage("us", "p", "cn-1", "usage", "", 0),
        ):
            if drawn.random() < 0.3:
                continue
            for token_class, unit in (("output", ""), ("uncached_input", ""), ("", "web_searches")):
                quantity = drawn.randrange(1, 90_000_000)
                found.append(charge(hour, usage, token_class, unit, quantity, drawn))
    return found


def charge(
    hour: datetime, usage: Usage, token_class: str, unit: str, quantity: int, drawn: random.Random
) -> Charge:
    if usage.model == "unheard-of":
        return Charge(hour, usage, token_class, unit, quantity, None, None)
    currency = "CNY" if usage.model == "cn-1" else "USD"
    price = Price("peak", f"t-{usage.model}", currency, Decimal(drawn.randrange(1, 999)) / 1000)
    amount = quantity * price.price * (Decimal("0.001") if unit else Decimal("0.000001"))
    sign = -1 if usage.entry == "credit" else 1
    return Charge(hour, usage, token_class, unit, quantity, price, sign * amount)


@dataclass
class Maker:
    """An issuer, with its log; ``key`` signs."""

    key: Ed25519PrivateKey = KEY

    def __post_init__(self) -> None:
        self.log = Tree()
        self.heads: dict[tuple[str, str], tuple[Head, dict[str, Any]]] = {}

    def run(self, period: str, run: str, before: tuple[str, str] | None, seed: int) -> list[bytes]:
        """Settle a run: a bill of each tenant."""
        month = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
        held = None if before is None else self.heads[before]
        terms = Terms(period, run, "ab" * 32, "cd" * 32, None if held is None else held[0])
        statements = []
        for number, tenant in enumerate(TENANTS):
            mine = charges(seed + number, month)
            statements.append(make_statement(terms, tenant, mine, demand_of(mine, DEMAND)))
        places = [self.log.add(one.leaf) for one in statements]
        head = Head(period, run, len(self.log), self.log.root().hex())
        signed_head = signed(head.body, self.key.sign)
        self.heads[period, run] = head, signed_head
        earlier: tuple[dict[str, Any], ...] = ()
        if held is not None:
            old = signed(held[0].body, self.key.sign)
            earlier = (earlier_head(old, self.log, held[0].size),)
        publisher = Publisher(public(self.key), self.log, signed_head, earlier, self.key.sign)
        return [publisher.bill(one, place) for one, place in zip(statements, places, strict=True)]


@dataclass(frozen=True)
class Made:
    """Bills of one issuer: SF and R1 of a month, and SF of the one after, of each tenant."""

    sf: list[bytes]
    r1: list[bytes]
    next_sf: list[bytes]


@cache
def made(key: Ed25519PrivateKey = KEY) -> Made:
    maker = Maker(key)
    sf = maker.run("2026-09", "SF", None, 1)
    following = maker.run("2026-10", "SF", ("2026-09", "SF"), 50)
    r1 = maker.run("2026-09", "R1", ("2026-09", "SF"), 99)
    return Made(sf, r1, following)


def document(content: bytes) -> Any:
    return json.loads(content)


def as_file(bill: object) -> bytes:
    text = json.dumps(bill, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"
