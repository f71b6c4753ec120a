"""PURE but for one bounded memory: numbers in usage objects that the register does not know.

Adapters note what they meet; whoever reads a batch collects it with `collecting` and counts it.
Names come from clients, so they are cut to what a metric's label may hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: A name that is longer, or that is not written like a field, is counted under this.
OTHER: Final = "other"
#: How many different names one batch may bring.
_NAMES_MAX: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9_.\[\]-]{1,96}")

#: How often a field of a format was met, by (format, path).
Unread = Counter[tuple[str, str]]

_collected: ContextVar[Unread | None] = ContextVar("unread usage fields", default=None)


@contextmanager
def collecting(into: Unread) -> Iterator[None]:
    """Add to ``into`` what `note` is told meanwhile, in this task."""
    token = _collected.set(into)
    try:
        yield
    finally:
        _collected.reset(token)


def note(usage_format: str, paths: Iterable[str]) -> None:
    """Say that a usage object had numbers that are in no class; nobody may be collecting."""
    found = _collected.get()
    if found is None:
        return
    for path in paths:
        key = (usage_format, path if _NAME.fullmatch(path) else OTHER)
        if key not in found and len(found) >= _NAMES_MAX:
            key = (usage_format, OTHER)
        found[key] += 1
