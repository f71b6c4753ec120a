"""PURE: in which order each upgrade is made; docs/upgrading.md tells operators the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final


class Order(Enum):
    """How workers are replaced."""

    SIDE_BY_SIDE = "side by side"
    STOPPED = "stop, migrate, start"


#: Migrations over which no old worker may stand beside a new one, and why.
STOPPED: Final[Mapping[str, str]] = {
    "0009": "a broker's clock that steps is judged in another way",
    "0012": "a resend after 24 to 49 hours counts for an older worker and not for a newer one",
    "0015": "an older worker reads the hours of one series as one row, and would lose the others",
}
#: The tree of before this migration is the oldest whose workers may stand beside those of this one.
SIDE_BY_SIDE_SINCE: Final = "0017"


def order_of(brings: Iterable[str]) -> Order:
    """The order for an upgrade that brings these migrations."""
    numbers = {name.partition("_")[0] for name in brings}
    return Order.STOPPED if numbers & STOPPED.keys() else Order.SIDE_BY_SIDE
