"""Every one of ten thousand mutations of bills is found, and by each layer by itself."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from services.verify.bill import verify
from services.verify.errors import BillError
from tests.unit.services.verify.made_bills import as_file, check, document, made
from tests.versions.effort import examples

MUTATIONS: Final = examples(10_000)
Place = tuple[Any, ...]


def places(value: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Each value of a bill, with the way to it."""
    yield at, value
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*at, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, (*at, number))


def put(bill: Any, at: Place, value: Any) -> None:
    for step in at[:-1]:
        bill = bill[step]
    bill[at[-1]] = value


class Mutator:
    """Makes another bill of a bill; ``others`` are bills that parts are taken from."""

    def __init__(self, drawn: random.Random, content: bytes, others: list[bytes]) -> None:
        self.drawn = drawn
        self.content = content
        self.bill = document(content)
        self.others = [document(one) for one in others]
        self.texts = [(at, one) for at, one in places(self.bill) if isinstance(one, str)]
        self.lists = [at for at, one in places(self.bill) if isinstance(one, list) and one]
        self.objects = [at for at, one in places(self.bill) if isinstance(one, dict)]
        self.all = [at for at, _ in places(self.bill) if at]

    def fresh(self, at: Place) -> tuple[Any, Any]:
        """A copy of the bill, and what is there in it."""
        bill = document(self.content)
        found = bill
        for step in at:
            found = found[step]
        return bill, found

    def digit(self) -> bytes:
        """Another digit, anywhere that digits are: of hashes too."""
        at, text = self.drawn.choice(
            [one for one in self.texts if any(c.isdigit() for c in one[1])]
        )
        number = self.drawn.choice([n for n, c in enumerate(text) if c.isdigit()])
        digit = self.drawn.choice([one for one in "0123456789" if one != text[number]])
        return self._with(at, text[:number] + digit + text[number + 1 :])

    def character(self) -> bytes:
        """A character more, less or other."""
        at, text = self.drawn.choice(self.texts)
        number = self.drawn.randrange(len(text) + 1)
        more = self.drawn.choice(["", "0", "-", "1", ".", "e", "a", " ", "\u0661", "\u200b", "é"])
        return self._with(at, text[:number] + more + text[number + self.drawn.randrange(2) :])

    def exchanged(self) -> bytes:
        """Two texts in each other's place."""
        (at, one), (place, other) = self.drawn.sample(self.texts, 2)
        bill = document(self.content)
        put(bill, at, other)
        put(bill, place, one)
        return as_file(bill)

    def item_dropped(self) -> bytes:
        bill, items = self.fresh(self.drawn.choice(self.lists))
        del items[self.drawn.randrange(len(items))]
        return as_file(bill)

    def item_doubled(self) -> bytes:
        bill, items = self.fresh(self.drawn.choice(self.lists))
        items.insert(self.drawn.randrange(len(items) + 1), copy.deepcopy(self.drawn.choice(items)))
        return as_file(bill)

    def items_moved(self) -> bytes:
        bill, items = self.fresh(self.drawn.choice(self.lists))
        items.insert(self.drawn.randrange(len(items)), items.pop(self.drawn.randrange(len(items))))
        return as_file(bill)

    def name_dropped(self) -> bytes:
        bill, fields = self.fresh(self.drawn.choice(self.objects))
        del fields[self.drawn.choice(sorted(fields))]
        return as_file(bill)

    def name_added(self) -> bytes:
        bill, fields = self.fresh(self.drawn.choice(self.objects))
        name = self.drawn.choice(["amount", "price", "Total", "kind ", "unit", "__proto__", "tou"])
        fields[name] = self.drawn.choice(["", "1", "0", [], {}])
        return as_file(bill)

    def part_of_another(self) -> bytes:
        """The same place as it is in a bill of another run, month, tenant or issuer."""
        other = self.drawn.choice(self.others)
        at = self.drawn.choice(self.all)
        found = other
        try:
            for step in at:
                found = found[step]
        except (KeyError, IndexError, TypeError):
            return self.content
        return self._with(at, copy.deepcopy(found))

    def other_kind(self) -> bytes:
        """A number, nothing or a truth in the place of a text."""
        at, text = self.drawn.choice(self.texts)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 30 else 1.0
        return self._with(at, self.drawn.choice([number, None, True, [text], {"": text}]))

    def bytes_changed(self) -> bytes:
        """A bit, a byte more or less, a stretch twice or gone, the end cut off."""
        content = bytearray(self.content)
        first = self.drawn.randrange(len(content))
        end = min(len(content), first + self.drawn.randrange(1, 200))
        kind = self.drawn.randrange(5)
        if kind == 0:
            content[first] ^= 1 << self.drawn.randrange(8)
        elif kind == 1:
            content.insert(first, self.drawn.choice(b' \n\t0"\\,:{}[]'))
        elif kind == 2:
            del content[first:end]
        elif kind == 3:
            content[first:first] = content[first:end]
        else:
            del content[first:]
        return bytes(content)

    def name_twice(self) -> bytes:
        """An object with a name twice: the first, or the last, is what it was."""
        at = self.drawn.choice([one for one, value in self.texts if isinstance(one[-1], str)])
        name = at[-1]
        text = self.content.decode()
        places = [n for n in range(len(text)) if text.startswith(f'"{name}":', n)]
        number = self.drawn.choice(places)
        return (text[:number] + f'"{name}":"0",' + text[number:]).encode()

    def _with(self, at: Place, value: Any) -> bytes:
        bill = document(self.content)
        put(bill, at, value)
        return as_file(bill)


KINDS: Final[tuple[Callable[[Mutator], bytes], ...]] = (
    Mutator.digit,
    Mutator.character,
    Mutator.exchanged,
    Mutator.item_dropped,
    Mutator.item_doubled,
    Mutator.items_moved,
    Mutator.name_dropped,
    Mutator.name_added,
    Mutator.part_of_another,
    Mutator.other_kind,
    Mutator.bytes_changed,
    Mutator.name_twice,
)


def mutators(drawn: random.Random) -> list[Mutator]:
    bills = made()
    found = [*bills.sf, *bills.r1, *bills.next_sf]
    return [Mutator(drawn, one, [other for other in found if other != one]) for one in found]


def test_each_mutation_is_found() -> None:
    drawn = random.Random(20260901)
    sources = mutators(drawn)
    for one in sources:
        verify(one.content, check)
    tried: Counter[str] = Counter()
    while tried.total() < MUTATIONS:
        source, kind = drawn.choice(sources), drawn.choice(KINDS)
        content = kind(source)
        if content == source.content:
            continue
        with pytest.raises(BillError):
            verify(content, check)
            pytest.fail(f"{kind.__name__} was not found: {len(content)} bytes")
        tried[kind.__name__] += 1
    assert min(tried.values()) > MUTATIONS * 0.03, tried


def test_where_all_signatures_are_believed_the_trees_find_what_changed_in_a_body() -> None:
    """As if the key had leaked: what was published before cannot be changed all the same."""
    drawn = random.Random(7)
    sources = mutators(drawn)
    tried = 0
    while tried < examples(1_500):
        source = drawn.choice(sources)
        content = drawn.choice(KINDS[:5])(source)
        changed, was = document(content), source.bill
        if [_bodies(changed), changed["head"]["body"]] == [_bodies(was), was["head"]["body"]]:
            continue
        with pytest.raises(BillError):
            verify(content, lambda key, signature, message: True)
            pytest.fail("it was not found")
        tried += 1


def _bodies(bill: Any) -> list[Any]:
    leaves = [bill["statement"], *bill["readings"], *bill["lines"]]
    return [leaf.get("body") if isinstance(leaf, dict) else leaf for leaf in leaves]
