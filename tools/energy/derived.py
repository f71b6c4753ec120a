"""PURE. How a newly derived file follows the one before it: what held is closed, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from schemas.catalogue.tariff_entries import FOREVER, Dated

V = TypeVar("V", bound=Dated)
K = TypeVar("K")


class NothingToClose(ValueError):
    """A version that shall be followed begins no earlier than what shall follow it."""


def followed(
    held: Mapping[K, tuple[V, ...]], found: Mapping[K, V], of_source: Iterable[K]
) -> dict[K, tuple[V, ...]]:
    """The versions of each key, with those found now behind those that held.

    What is as it was keeps its dates and source. What is another is closed where the new one
    begins; what of ``of_source`` is not found any more stays as it is: it is still what is known.
    Raises `NothingToClose`.
    """
    keys = list(dict.fromkeys((*of_source, *found)))
    return {key: _versions(held.get(key, ()), found.get(key)) for key in keys}


def _versions(held: tuple[V, ...], found: V | None) -> tuple[V, ...]:
    if found is None or (held and numbers(held[-1]) == numbers(found)):
        return held
    if not held:
        return (found,)
    last = held[-1]
    if last.valid_to == FOREVER:
        if last.valid_from >= found.valid_from:
            raise NothingToClose(
                f"the numbers changed, and the old ones hold since {last.valid_from:%Y-%m-%d}:"
                " say a later day with --from"
            )
        last = last.model_copy(update={"valid_to": found.valid_from})
    return (*held[:-1], last, found)


def numbers(version: Dated) -> dict[str, object]:
    """What a version says, without its dates and where it is from."""
    return version.model_dump(exclude={"valid_from", "valid_to", "source", "source_date"})


def first_day(text: str) -> datetime:
    """A day of the command line as midnight UTC."""
    return datetime.fromisoformat(f"{text}T00:00:00+00:00")
