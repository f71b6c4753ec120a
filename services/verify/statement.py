"""PURE. What a bill says of itself as a whole: its statement, and the tree heads of the log."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.verify.errors import BillError
from services.verify.fields import RUNS, Fields
from services.verify.proofs import extends
from services.verify.signed import Signed

STATEMENT_NAMES: Final = (
    *("kind", "period", "run", "tenant", "cut", "catalogue", "readings", "lines", "root"),
    *("totals", "unpriced", "before"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """The Merkle log as it was behind a run: so many statements, with this root."""

    period: str
    run: str
    size: int
    root: bytes


class Statement:
    """What the statement says of the rest of the bill."""

    def __init__(self, body: Fields) -> None:
        self.period = body.period("period")
        self.run = body.one_of("run", RUNS)
        self.tenant = body.text("tenant")
        self.root = body.hexadecimal("root", 32)
        self.readings, self.lines = body.whole("readings"), body.whole("lines")
        body.hexadecimal("cut", 32)
        body.hexadecimal("catalogue", 32)
        self.before = body.items("before")
        self._body = body
        self._unpriced = body.whole("unpriced")
        self._totals: dict[str, Decimal] = {}
        for at, one in enumerate(body.items("totals")):
            total = Fields(f"{body.place}.totals[{at}]", one, ("currency", "amount"))
            currency = total.currency("currency")
            if self._totals and currency <= max(self._totals):
                raise total.wrong("currency", "totals are sorted by currency, each once")
            self._totals[currency] = total.decimal("amount")

    def must_come_to(self, totals: dict[str, Decimal], unpriced: int) -> None:
        """Hold the sums of all lines against what it says."""
        if self._totals != totals:
            told = ", ".join(f"{name} {amount:f}" for name, amount in sorted(totals.items()))
            raise self._body.wrong("totals", f"the lines come to {told or 'nothing'}")
        if self._unpriced != unpriced:
            raise self._body.wrong("unpriced", f"tokens without a price are {unpriced}")


def read_head(place: str, value: object, signed: Signed) -> Head:
    """A signed tree head. Raises `BillError`."""
    held = Fields(place, value, ("body", "signature"))
    body, _ = signed.body(held, "head", ("kind", "period", "run", "size", "root"))
    size = body.whole("size")
    return Head(body.period("period"), body.one_of("run", RUNS), size, body.hexadecimal("root", 32))


def read_earlier(
    bill: Fields, statement: Statement, head: Head, place: int, signed: Signed
) -> Head | None:
    """The head that the statement names, proven to be where this log began."""
    given = bill.items("earlier")
    if len(given) != len(statement.before) or len(given) > 1:
        raise BillError("earlier", "it must have the head that the statement's `before` names")
    if not given:
        if statement.run != RUNS[0]:
            raise BillError("earlier", f"{statement.run} follows an earlier run, which is missing")
        return None
    held = Fields("earlier[0]", given[0], ("head", "path"))
    earlier = read_head("earlier[0].head", held.values["head"], signed)
    named = {
        "period": earlier.period,
        "run": earlier.run,
        "size": str(earlier.size),
        "root": earlier.root.hex(),
    }
    Fields("statement.body.before[0]", statement.before[0], tuple(named)).must_be(**named)
    follows = RUNS.index(statement.run)
    if follows and (earlier.period, earlier.run) != (statement.period, RUNS[follows - 1]):
        raise BillError("earlier[0]", f"{statement.run} follows {RUNS[follows - 1]} of its period")
    if place < earlier.size:
        raise BillError("statement.place", "it lies in what was in the log before")
    path = held.path("path")
    if not extends(earlier.size, earlier.root, head.size, head.root, path):
        raise BillError("earlier[0].path", "it does not prove that the log only grew since")
    return earlier
