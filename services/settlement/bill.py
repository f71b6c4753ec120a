"""PURE. A tenant's settled bill: its leaves, its statement, and the file that is given out.

docs/settlement.md, "The format", says what each field is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.settlement.canonical import Body, canonical, decimal_text
from services.settlement.charges import (
    Charge,
    Demand,
    line_bodies,
    reading_bodies,
    totals_of,
    unpriced_tokens,
)
from services.settlement.merkle import Tree, leaf_hash

FORMAT: Final = "wattoken-settled-bill-1"
#: What is signed begins with it.
_SIGNED: Final = b"wattoken-settled-bill-1:"
#: Signs a message; gives 64 bytes.
Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Head:
    """The Merkle log behind a run: so many statements, with this root (hex)."""

    period: str
    run: str
    size: int
    root: str

    @property
    def body(self) -> Body:
        """What of it is signed."""
        return {"kind": "head", **self.named}

    @property
    def named(self) -> Body:
        """What a statement says of it."""
        return {
            "period": self.period,
            "run": self.run,
            "size": str(self.size),
            "root": self.root,
        }


@dataclass(frozen=True, slots=True)
class Terms:
    """What is alike on all bills of a run; ``before`` is the head that it goes on from."""

    period: str
    run: str
    cut: str
    catalogue: str
    before: Head | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A tenant's statement before it is in the log: the leaves' objects, and the statement's."""

    tenant: str
    readings: tuple[Body, ...]
    lines: tuple[Body, ...]
    tree: Tree
    body: Body

    @property
    def leaf(self) -> bytes:
        """Its hash in the log."""
        return leaf_hash(canonical(self.body))


def make_statement(
    terms: Terms, tenant: str, charges: Sequence[Charge], demand: Sequence[Demand]
) -> Statement:
    """A tenant's statement of its charges, and what demand comes to."""
    of_all = {"period": terms.period, "run": terms.run, "tenant": tenant}
    readings, lines = reading_bodies(charges), line_bodies(charges, demand)
    leaves = [
        body | of_all | {"number": str(number)} for number, body in enumerate((*readings, *lines))
    ]
    tree = Tree(leaf_hash(canonical(body)) for body in leaves)
    body = {
        "kind": "statement",
        **of_all,
        "cut": terms.cut,
        "catalogue": terms.catalogue,
        "readings": str(len(readings)),
        "lines": str(len(lines)),
        "root": tree.root().hex(),
        "totals": [
            {"currency": currency, "amount": decimal_text(amount)}
            for currency, amount in totals_of(charges, demand).items()
        ],
        "unpriced": str(unpriced_tokens(charges)),
        "before": [] if terms.before is None else [terms.before.named],
    }
    first = len(readings)
    return Statement(tenant, tuple(leaves[:first]), tuple(leaves[first:]), tree, body)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Makes the files of a run: with its log, whole, and the signed heads."""

    public_key: str
    log: Tree
    head: Body
    #: The head of before, signed with the same key, and the proof that the log begins with it.
    earlier: tuple[Body, ...]
    sign: Sign

    def bill(self, statement: Statement, place: int) -> bytes:
        """The file: canonical JSON and a line feed."""
        leaves = [
            self.signed(body) | {"path": _hex(statement.tree.path(number))}
            for number, body in enumerate((*statement.readings, *statement.lines))
        ]
        first = len(statement.readings)
        document = {
            "format": FORMAT,
            "key": self.public_key,
            "statement": self.signed(statement.body)
            | {"place": str(place), "path": _hex(self.log.path(place))},
            "head": self.head,
            "earlier": list(self.earlier),
            "readings": leaves[:first],
            "lines": leaves[first:],
        }
        return canonical(document) + b"\n"

    def signed(self, body: Body) -> Body:
        """An object and its signature."""
        return signed(body, self.sign)


def signed(body: Body, sign: Sign) -> Body:
    """An object and its signature."""
    return {"body": body, "signature": sign(_SIGNED + canonical(body)).hex()}


def earlier_head(head: Body, log: Tree, size: int) -> Body:
    """A signed head of before, with the proof that the log begins with it."""
    return {"head": head, "path": _hex(log.consistency(size))}


def _hex(path: Sequence[bytes]) -> list[str]:
    return [one.hex() for one in path]
