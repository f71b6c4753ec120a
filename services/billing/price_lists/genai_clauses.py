"""PURE. Which names a model of genai-prices has: its clauses as names and patterns of a price list.

A clause is `equals`, `starts_with`, `ends_with`, `contains` or `regex` with a text, or `or_` or
`and_` of clauses. The package asks them of a name in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from schemas.catalogue.listed_tariffs import NamePattern
from services.billing.price_lists.drawn import NotTaken

#: A clause that its text is not found in: what ClickHouse's expressions cannot say, `unlike` can.
_NOWHERE: Final = re.compile(r"\^\(\?!(?P<unlike>.*)\)")


def names_and_patterns(clause: object) -> tuple[tuple[str, ...], tuple[NamePattern, ...]]:
    """The whole names that a clause lets through, and its patterns; either of them is enough.

    Raises `NotTaken` if it cannot be said so.
    """
    names: list[str] = []
    patterns: list[NamePattern] = []
    for alternative in _alternatives(clause):
        if len(alternative) == 1 and alternative[0][0] == "equals":
            names.append(alternative[0][1].lower())
        else:
            patterns.append(_pattern(alternative))
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(patterns))


#: A clause without `or_` and `and_`: what it asks, and of which text.
_Plain = tuple[str, str]


def _alternatives(clause: object) -> list[tuple[_Plain, ...]]:
    """The ways to pass a clause; each is what all must hold."""
    ((kind, said),) = vars(clause).items()
    if kind == "or_":
        return [one for inner in said for one in _alternatives(inner)]
    if kind == "and_":
        ways: list[tuple[_Plain, ...]] = [()]
        for inner in said:
            ways = [(*way, *more) for way in ways for more in _alternatives(inner)]
        return ways
    return [((kind, said),)]


def _pattern(clauses: Iterable[_Plain]) -> NamePattern:
    like: list[str] = []
    unlike: list[str] = []
    for kind, text in clauses:
        literal = re.escape(text.lower())
        if kind == "equals":
            like.append(f"^{literal}$")
        elif kind == "starts_with":
            like.append(f"^{literal}")
        elif kind == "ends_with":
            like.append(f"{literal}$")
        elif kind == "contains":
            like.append(literal)
        elif kind == "regex" and (nowhere := _NOWHERE.fullmatch(text)) is not None:
            unlike.append(f"^(?:{nowhere['unlike']})")
        elif kind == "regex":
            like.append(text)
        else:
            raise NotTaken(f"is found by a clause that is not known here: {kind}")
    try:
        return NamePattern(like=tuple(like), unlike=tuple(unlike))
    except ValueError:
        raise NotTaken(
            f"is found by an expression that cannot be translated: {' '.join(like)}"
        ) from None
