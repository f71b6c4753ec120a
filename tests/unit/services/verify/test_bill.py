"""Attacks on a bill, by others and by who made it: each is found, and said where."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.settlement.bill import signed
from services.settlement.canonical import canonical
from services.settlement.merkle import Tree, leaf_hash
from services.verify.bill import Verified, verify
from services.verify.errors import BillError
from tests.unit.services.verify.made_bills import (
    KEY,
    OTHER_KEY,
    Maker,
    as_file,
    check,
    document,
    made,
    public,
)


def wrong(content: bytes) -> BillError:
    with pytest.raises(BillError) as raised:
        verify(content, check)
    return raised.value


def proven(content: bytes) -> Verified:
    return verify(content, check)


def test_a_bill_is_proven_and_said_what_it_is() -> None:
    bills = made()
    found = proven(bills.r1[1])
    assert (found.tenant, found.period, found.run) == ("北京", "2026-09", "R1")
    assert found.earlier == proven(bills.sf[0]).head
    assert (found.head.size, found.key.hex()) == (9, public(KEY))
    assert proven(bills.sf[0]).earlier is None
    assert proven(bills.next_sf[0]).earlier == proven(bills.sf[2]).head
    bill = document(bills.r1[1])
    assert dict(found.totals) == {
        one["currency"]: Decimal(one["amount"]) for one in bill["statement"]["body"]["totals"]
    }
    assert found.unpriced_tokens > 0 and len(found.totals) == 2


def re_signed(
    content: bytes,
    change: Callable[[list[Any], list[Any], dict[str, Any]], None],
    key: Ed25519PrivateKey = KEY,
) -> bytes:
    """The bill as its maker would make it with other content: all hashes and signatures fit."""
    bill = document(content)
    readings, lines = ([one["body"] for one in bill[part]] for part in ("readings", "lines"))
    body = bill["statement"]["body"] | {"before": []}
    change(readings, lines, body)
    tree = Tree(leaf_hash(canonical(one)) for one in (*readings, *lines))
    body["root"] = tree.root().hex()
    log = Tree([leaf_hash(canonical(body))])
    head = {"kind": "head", "period": body["period"], "run": body["run"], "size": "1"}
    leaves = [
        signed(one, key.sign) | {"path": [node.hex() for node in tree.path(place)]}
        for place, one in enumerate((*readings, *lines))
    ]
    return as_file(
        bill
        | {
            "key": public(key),
            "statement": signed(body, key.sign) | {"place": "0", "path": []},
            "head": signed(head | {"root": log.root().hex()}, key.sign),
            "earlier": [],
            "readings": leaves[: len(readings)],
            "lines": leaves[len(readings) :],
        }
    )


def test_re_signing_alone_makes_a_bill_that_is_proven() -> None:
    """What is below fails for what it changes, and for nothing else."""
    assert proven(re_signed(made().sf[0], lambda readings, lines, body: None)).run == "SF"


def first_priced(readings: list[Any]) -> Any:
    return next(one for body in readings for one in body["charges"] if "price" in one)


def amount_too_high(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    one = first_priced(readings)
    one["amount"] = f"{Decimal(one['amount']) + Decimal('0.000001'):f}".rstrip("0")


def line_too_high(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    lines[0]["quantity"] = str(int(lines[0]["quantity"]) + 1)


def total_too_high(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    body["totals"][0]["amount"] = "1"


def unpriced_hidden(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    body["unpriced"] = "0"


def reading_missing(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    readings.pop()
    body["readings"] = str(len(readings))
    renumber(readings, lines)


def reading_twice(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    readings.insert(0, copy.deepcopy(readings[0]))
    body["readings"] = str(len(readings))
    renumber(readings, lines)


def readings_moved(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    readings.reverse()
    renumber(readings, lines)


def other_month(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    readings[0]["hour"] = "2026-08-31T23:00:00Z"


def no_such_hour(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    readings[0]["hour"] = "2026-09-31T23:00:00Z"


def line_missing(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    lines.pop(0)
    body["lines"] = str(len(lines))
    renumber(readings, lines)


def line_made_up(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    lines.append(copy.deepcopy(lines[-1]) | {"region": "mars"})
    body["lines"] = str(len(lines))
    renumber(readings, lines)


def demand_elsewhere(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    lines[-1]["hour"] = "2026-09-30T23:00:00Z"


def demand_too_high(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    lines[-1]["rate"] = str(int(lines[-1]["rate"]) + 1)


def of_another_tenant(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    readings[0]["tenant"] = "somebody"


def later_run_alone(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    body["run"] = "R1"
    for one in (*readings, *lines):
        one["run"] = "R1"


def credit_as_debit(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    for one in (*readings, *lines):
        one["entry"] = "debit" if one.get("entry") == "credit" else one.get("entry", "")


def kind_unknown(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
    lines[-1]["line"] = "goodwill"


def renumber(readings: list[Any], lines: list[Any]) -> None:
    for number, one in enumerate((*readings, *lines)):
        one["number"] = str(number)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (amount_too_high, "amount"),
        (line_too_high, "quantity"),
        (total_too_high, "totals"),
        (unpriced_hidden, "unpriced"),
        (reading_missing, "lines"),
        (reading_twice, "readings"),
        (readings_moved, "readings"),
        (other_month, "hour"),
        (no_such_hour, "hour"),
        (line_missing, "lines"),
        (line_made_up, "lines"),
        (demand_elsewhere, "hour"),
        (demand_too_high, "rate"),
        (of_another_tenant, "tenant"),
        (later_run_alone, "earlier"),
        (credit_as_debit, ""),
        (kind_unknown, "line"),
    ],
)
def test_not_even_who_signs_can_make_a_bill_that_does_not_add_up(
    change: Callable[[list[Any], list[Any], dict[str, Any]], None], place: str
) -> None:
    assert place in wrong(re_signed(made().sf[0], change)).place


def in_readings(text: str) -> Callable[[list[Any], list[Any], dict[str, Any]], None]:
    def change(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
        first_priced(readings)["quantity"] = text

    return change


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "1e3",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1_0",
        "\u0661\u0662",
        "１２",
        "0x10",
        "",
        "1" * 41,
    ]
    + ["9" * 5000, "NaN", "Infinity", "1\n", "1\u200b", "²", "-0"],
)
def test_a_number_has_one_form(text: str) -> None:
    """Signed by the maker, and refused all the same."""
    found = wrong(re_signed(made().sf[0], in_readings(text)))
    assert found.place.endswith(".quantity"), found


@pytest.mark.parametrize("text", ["0.50", "1.0", ".5", "5.", "-0", "00.5", "1E-1", "1" * 81, "٠.٥"])
def test_an_amount_has_one_form(text: str) -> None:
    def change(readings: list[Any], lines: list[Any], body: dict[str, Any]) -> None:
        first_priced(readings)["price"] = text

    assert wrong(re_signed(made().sf[0], change)).place.endswith(".price")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.rstrip(b"\n"),
        lambda content: content + b"\n",
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.replace(b":", b": ", 1),
        lambda content: content.replace(b"acme", b"\\u0061cme", 1),
        lambda content: content.replace(b"acme", b"acme\\ud800", 1),
        lambda content: content.replace(b'"kind":"head"', b'"kind":"head","kind":"head"', 1),
        lambda content: content.replace(b'"place":"0"', b'"place":0', 1),
        lambda content: content.replace(b'"place":"0"', b'"place":1e400', 1),
        lambda content: content.replace(b'"place":"0"', b'"place":NaN', 1),
        lambda content: b"[" * 100_000 + b"]" * 100_000,
        lambda content: b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        lambda content: b"",
        lambda content: b"{}\n",
        lambda content: b"[]\n",
        lambda content: b'"x"\n',
        lambda content: b"\xff",
        lambda content: content.decode().encode("utf-16"),
        lambda content: content[: len(content) // 2],
    ],
)
def test_another_file_is_none(change: Callable[[bytes], bytes]) -> None:
    content = made().sf[0]
    assert change(content) != content
    wrong(change(content))


def test_an_older_bill_under_a_newer_head_is_found() -> None:
    bills = made()
    old, new, following = (document(one[0]) for one in (bills.sf, bills.r1, bills.next_sf))
    wrong(as_file(old | {"head": new["head"]}))
    wrong(as_file(old | {"head": following["head"], "earlier": following["earlier"]}))
    wrong(as_file(new | {"statement": old["statement"]}))
    wrong(as_file(old | {part: new[part] for part in ("head", "earlier", "statement")}))
    wrong(as_file(new | {"earlier": []}))
    wrong(as_file(new | {"earlier": following["earlier"]}))
    wrong(as_file(new | {"earlier": [*new["earlier"], *new["earlier"]]}))


def test_a_bill_of_another_tenant_lends_no_proof() -> None:
    one, other = (document(content) for content in made().sf[:2])
    for part in ("statement", "readings", "lines"):
        wrong(as_file(one | {part: other[part]}))
    swapped = copy.deepcopy(one)
    paths = [leaf["path"] for leaf in swapped["readings"]]
    swapped["readings"][0]["path"], swapped["readings"][1]["path"] = paths[1], paths[0]
    assert wrong(as_file(swapped)).place == "readings[0].path"


def test_a_signature_of_one_thing_is_none_of_another() -> None:
    bill = document(made().sf[0])
    bill["readings"][0]["signature"] = bill["readings"][1]["signature"]
    assert wrong(as_file(bill)).place == "readings[0].signature"
    # An object that was signed, in the place of one of another kind.
    bill = document(made().sf[0])
    bill["head"] = {name: bill["statement"][name] for name in ("body", "signature")}
    wrong(as_file(bill))


def test_a_log_that_was_rewritten_has_no_proof_to_the_head_that_was_shown() -> None:
    """Its maker may sign another past; who has the bill of before finds it."""
    honest = made()
    maker = Maker(KEY)
    maker.run("2026-09", "SF", None, 777)
    forged = maker.run("2026-09", "R1", ("2026-09", "SF"), 99)
    assert proven(forged[0]).earlier != proven(honest.sf[0]).head
    # With the honest head in its place there is no path.
    bill, old = document(forged[0]), document(honest.r1[0])
    bill["earlier"] = old["earlier"]
    wrong(as_file(bill))


def test_another_key_signs_other_bills() -> None:
    theirs = made(OTHER_KEY).sf[0]
    assert proven(theirs).key.hex() == public(OTHER_KEY), "who pins the key finds it"
    bill = document(theirs) | {"key": public(KEY)}
    assert wrong(as_file(bill)).place == "statement.signature"
    mixed = document(made().sf[0])
    mixed["lines"] = document(theirs)["lines"]
    assert wrong(as_file(mixed)).place == "lines[0].signature"
