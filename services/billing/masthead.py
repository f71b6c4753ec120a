"""PURE. The head of a bill: who bills whom, its number and dates, what is due, and what to know."""

from __future__ import annotations

from dataclasses import dataclass

from services.billing.bill import Bill
from services.billing.terms import Party


@dataclass(frozen=True, slots=True)
class Masthead:
    """Texts only; the first line of a party is its name."""

    title: str
    issuer: tuple[str, ...]
    customer: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    due_label: str
    due: str
    warnings: tuple[str, ...]
    payment: tuple[str, ...]


def masthead(bill: Bill) -> Masthead:
    """The head of this bill."""
    statement, terms = bill.statement, bill.terms
    title = "Credit note" if bill.due < 0 else "Invoice"
    if terms.number is None or terms.issuer is None:
        title = "Statement of account"
    facts = [
        ("Number", terms.number),
        ("Issued", f"{terms.issued}"),
        ("Due", f"{terms.due_date}" if terms.due_date is not None and bill.due > 0 else None),
        ("Period", f"{statement.period_start} up to, but not, {statement.period_end} (UTC)"),
        ("Tenant", None if terms.customer.name == statement.tenant else statement.tenant),
    ]
    return Masthead(
        title=title,
        issuer=() if terms.issuer is None else _lines(terms.issuer),
        customer=_lines(terms.customer),
        facts=tuple((label, text) for label, text in facts if text is not None),
        due_label=bill.due_label,
        due=f"{bill.currency} {bill.due_text}",
        warnings=_warnings(bill),
        # Nothing is to be paid on what is no invoice yet, nor on a credit balance.
        payment=terms.payment if terms.number is not None and bill.due > 0 else (),
    )


def _lines(party: Party) -> tuple[str, ...]:
    return (party.name, *party.lines, *(() if party.tax_id is None else (party.tax_id,)))


def _warnings(bill: Bill) -> tuple[str, ...]:
    statement = bill.statement
    found = []
    if statement.running:
        found.append("The period is not over: this statement is preliminary.")
    if statement.unpriced_tokens:
        found.append(
            f"{statement.unpriced_tokens:,} tokens have no price and are in no amount; they are"
            " listed below as unpriced."
        )
    if not bill.lines:
        found.append("Nothing was used in this period.")
    return tuple(found)
