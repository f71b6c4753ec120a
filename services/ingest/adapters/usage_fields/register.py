"""PURE: the register of usage fields: for each format, what every number of its objects is.

A number is in one of a few classes, `FieldClass`. One that is in none is not metered and not
ignored either: `unread.py` counts it, so that a provider's new name is noticed the day it appears
and not on a bill. So are words that nobody knows, where a word decides what a number is or what it
costs: a kind of content, a lifetime of a cache, a service tier.

A path names a field (`paths.py`): ``iterations[].input_tokens`` is in each element of an array, and
``cost_details.*`` is all that is below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.ingest.adapters.usage_fields import tiers
from services.ingest.adapters.usage_fields.fields import Field, FieldClass, Quantity

#: An object that is deeper or wider than any provider's is not walked to its end.
_DEPTH_MAX: Final = 6
_ITEMS_MAX: Final = 64
_FOUND_MAX: Final = 32


class Register:
    """The classed fields of one format."""

    def __init__(self, name: str, *groups: tuple[Field, ...]) -> None:
        """Register fields under the format's name; a place may be classed once."""
        self.name: Final = name
        self.fields: Final = tuple(field for group in groups for field in group)
        self._classes: dict[str, FieldClass] = {}
        #: Prefixes of which all that is below is classed.
        self._below: dict[str, FieldClass] = {}
        #: The words that are known of an array, by its name and what tells its elements apart.
        self._words: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        by_quantity: defaultdict[Quantity, list[Field]] = defaultdict(list)
        for field in self.fields:
            self._class(field)
            if field.quantity is not None:
                by_quantity[field.quantity].append(field)
        self.by_quantity: Final[Mapping[Quantity, tuple[Field, ...]]] = {
            quantity: tuple(fields) for quantity, fields in by_quantity.items()
        }
        #: The same, each with what an object has at its top where it tells any of it.
        self.by_heads: Final = tuple(
            (quantity, fields, frozenset(head for one in fields for head in one.heads))
            for quantity, fields in self.by_quantity.items()
        )
        self.heads: Final = frozenset(head for _, _, heads in self.by_heads for head in heads)
        self._tiers: Final = tuple(
            (field, field.words) for field in self.fields if field.words is not None
        )
        #: What is billed instead of tokens.
        self.instead: Final = frozenset(
            field.quantity
            for field in self.fields
            if field.field_class is FieldClass.INSTEAD and field.quantity is not None
        )

    def _class(self, field: Field) -> None:
        for leaf in field.leaves:
            place = leaf.place
            if leaf.key:
                self._words[leaf.parents[0], leaf.key] |= leaf.words
            elif place in self._classes or place in self._below:
                raise ValueError(f"{self.name}: {place} is classed twice")
            if field.summed:
                self._below[place] = field.field_class
            elif place.endswith(".*"):
                self._below[place.removesuffix(".*")] = field.field_class
            else:
                self._classes[place] = field.field_class

    def class_of(self, path: str) -> FieldClass | None:
        """Tell what a path is; None for one that is in no class."""
        found = self._classes.get(path)
        while found is None and path:
            found = self._below.get(path)
            above = path.removesuffix("[]")
            path = above if above != path else path.rpartition(".")[0]
        return found

    def tier(self, usage: Mapping[str, Any], *beside: tuple[str, str, tiers.Words]) -> tiers.Told:
        """Tell how the request was served, by the object and by what is told ``beside`` it."""
        readings = list(beside)
        for field, words in self._tiers:
            leaf = field.leaves[0]
            holder: Any = usage
            for parent in leaf.parents:
                holder = holder.get(parent) if isinstance(holder, dict) else None
            word = holder.get(leaf.name) if isinstance(holder, dict) else None
            if isinstance(word, str):
                readings.append((field.path, word, words))
        return tiers.told(readings) if readings else tiers.NOTHING

    def unread(self, usage: Mapping[str, Any]) -> list[str]:
        """List the paths of numbers that are in no class, and of words that nobody knows.

        A few dozen at most.
        """
        found: list[str] = []
        for path in _numbers(usage, "", 0):
            if self.class_of(path) is None and path not in found:
                found.append(path)
                if len(found) == _FOUND_MAX:
                    break
        return [*found, *self._odd_words(usage), *self.tier(usage).odd][:_FOUND_MAX]

    def _odd_words(self, usage: Mapping[str, Any]) -> list[str]:
        odd: list[str] = []
        for (array, key), words in self._words.items():
            listed = usage.get(array)
            for element in listed[:_ITEMS_MAX] if isinstance(listed, list) else ():
                word = element.get(key) if isinstance(element, dict) else None
                if isinstance(word, str) and word.upper() not in words:
                    odd.append(f"{array}[].{key}.{word}")
        return odd

    def unit(self, usage: Mapping[str, Any]) -> str | None:
        """Find the path of something that is there and is no token."""
        units = (FieldClass.UNIT, FieldClass.INSTEAD, FieldClass.OTHER_UNIT)
        return next((p for p in _numbers(usage, "", 0) if self.class_of(p) in units), None)


def _numbers(value: Any, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path
    elif depth < _DEPTH_MAX:
        if isinstance(value, dict):
            for name in list(value)[:_ITEMS_MAX]:
                yield from _numbers(value[name], f"{path}.{name}" if path else name, depth + 1)
        elif isinstance(value, list):
            for item in value[:_ITEMS_MAX]:
                yield from _numbers(item, f"{path}[]", depth + 1)
