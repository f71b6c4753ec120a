"""PURE: the paths by which the register names what stands in a usage object.

``prompt_tokens_details.cached_tokens`` is nested. What is joined by ``+`` is added up:
``details.web_calls+x_calls``. ``details[modality=IMAGE+DOCUMENT].tokenCount`` are those elements of
an array that say so, added up as well. ``[]`` and ``.*`` name what is known and not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from services.ingest.adapters.counts import part
from services.ingest.errors import EventRejectedError
from services.ingest.explain import shown_value

_PICKED: Final = re.compile(r"(?P<array>\w++)\[(?P<key>\w++)=(?P<words>[\w+]++)\]\.(?P<name>\w++)")
#: No array of a provider's is as long.
_ELEMENTS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place that a path names."""

    parents: tuple[str, ...]
    name: str
    #: Of an array's elements: what they are told apart by, and the words that count, in upper case.
    key: str = ""
    words: frozenset[str] = frozenset()

    @property
    def head(self) -> str:
        """What an object must have at its top for the place to be there."""
        return self.parents[0] if self.parents else self.name

    @property
    def place(self) -> str:
        """The place without the words: how numbers are found when an object is walked over."""
        return f"{self.holder_place}{self.name}"

    @property
    def holder_place(self) -> str:
        """What leads to the number, for messages."""
        return ".".join(self.parents) + ("[]." if self.key else "." if self.parents else "")

    def holders(self, usage: Mapping[str, Any], where: str) -> Iterable[Mapping[str, Any]]:
        """Find the objects that hold the number.

        Raises `EventRejectedError` for what is there and is no object, or no array.
        """
        holder: Any = usage
        for depth, parent in enumerate(self.parents[: -1 if self.key else None]):
            found = holder.get(parent)
            if type(found) is not dict:
                found = part(holder, parent, f"{where}{_joined(self.parents[:depth])}")
            holder = found
        if not self.key:
            return (holder,) if holder.get(self.name) is not None else ()
        return [
            element
            for element in elements(holder, self.parents[-1], where)
            if isinstance(word := element.get(self.key), str)
            and word.upper() in self.words
            and element.get(self.name) is not None
        ]


def _joined(names: tuple[str, ...]) -> str:
    return "".join(f"{name}." for name in names)


def elements(holder: Mapping[str, Any], name: str, where: str = "") -> Iterator[Mapping[str, Any]]:
    """Yield the objects of an array; an absent, null or empty one has none.

    Raises `EventRejectedError` for what is no array.
    """
    value = holder.get(name)
    if value is None or value == {}:
        return
    if not isinstance(value, list):
        raise EventRejectedError(
            "wrong_type", f"{where}{name} is {shown_value(value)}: give a JSON array"
        )
    yield from (one for one in value[:_ELEMENTS_MAX] if isinstance(one, dict))


def leaves(path: str) -> tuple[Leaf, ...]:
    """Take a path apart into the places whose numbers are added up."""
    picked = _PICKED.fullmatch(path)
    if picked is not None:
        words = frozenset(picked["words"].upper().split("+"))
        return (Leaf((picked["array"],), picked["name"], picked["key"], words),)
    parts = [one.split("+") for one in path.split(".")]
    return tuple(Leaf(names[:-1], names[-1]) for names in product(*parts))
