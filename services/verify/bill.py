"""PURE. A bill, held against itself, its signatures and its proofs, in this order.

1. The file is canonical, and has the names that a bill has and no others.
2. Statement and tree heads are signed by the bill's key.
3. The statement lies in the Merkle log at its place; the log begins with all of the earlier head.
4. Each reading and line is signed, lies in the statement's tree at its place, is of this tenant,
   period and run, and comes in its order; together they are all of that tree.
5. Each amount is quantity times price, each line the sum of its charges, each total that of its
   lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.verify.canonical import read_document
from services.verify.errors import BillError
from services.verify.fields import Fields
from services.verify.leaves import (
    Leaves,
    must_be_in_order,
    read_reading,
    sums_of,
    unpriced_tokens,
)
from services.verify.proofs import includes
from services.verify.signed import Check, Signed
from services.verify.statement import (
    STATEMENT_NAMES,
    Head,
    Statement,
    read_earlier,
    read_head,
)

FORMAT: Final = "wattoken-settled-bill-1"


@dataclass(frozen=True, slots=True)
class Verified:
    """A bill that is what was settled; its log is proven to begin with that of ``earlier``."""

    key: bytes
    period: str
    run: str
    tenant: str
    readings: int
    lines: int
    totals: tuple[tuple[str, Decimal], ...]
    unpriced_tokens: int
    head: Head
    earlier: Head | None
    leaf: bytes


def verify(content: bytes, check: Check) -> Verified:
    """Check a bill's file against all that it says of itself.

    Whose key it was signed with is for the caller to hold against one that he knows. Raises
    `BillError` at the first thing that is wrong.
    """
    names = ("format", "key", "statement", "head", "earlier", "readings", "lines")
    bill = Fields("bill", read_document(content), names)
    bill.must_be(format=FORMAT)
    key = bill.hexadecimal("key", 32)
    signed = Signed(key, check)
    held = Fields("statement", bill.values["statement"], ("body", "signature", "place", "path"))
    body, leaf = signed.body(held, "statement", STATEMENT_NAMES)
    statement = Statement(body)
    head = read_head("head", bill.values["head"], signed)
    if (head.period, head.run) != (statement.period, statement.run):
        raise BillError("head.body", "it is of another period or run than the statement")
    place, path = held.whole("place"), held.path("path")
    if not includes(leaf, place, head.size, path, head.root):
        raise BillError("statement.path", "it does not prove that the statement is in the log")
    earlier = read_earlier(bill, statement, head, place, signed)
    leaves = Leaves(signed, statement)
    readings = [
        read_reading(leaves.body("readings", at, one, "reading"))
        for at, one in enumerate(bill.items("readings"))
    ]
    must_be_in_order(readings)
    lines = [
        leaves.body("lines", at, one, "line", len(readings))
        for at, one in enumerate(bill.items("lines"))
    ]
    leaves.all_of_them(len(readings), len(lines))
    totals = sums_of(readings, lines)
    statement.must_come_to(totals, unpriced_tokens(readings))
    counted = (statement.period, statement.run, statement.tenant, len(readings), len(lines))
    return Verified(
        key, *counted, tuple(sorted(totals.items())), unpriced_tokens(readings), head, earlier, leaf
    )
