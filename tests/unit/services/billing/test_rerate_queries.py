"""What is made of a row of the answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from services.billing.rerate import Rated
from services.billing.rerate_queries import line_of
from services.platform.errors import UnavailableError

LABELS = ("acme", "openai", "gpt-5", "usage", "output", "", "batch", 200_000)
LISTS = ("flat", Decimal(10), "USD", "peak", None, "USD")


def row(*sums: Any) -> tuple[Any, ...]:
    return (*LABELS, *LISTS, *sums)


def test_a_row_is_a_line_at_both_lists() -> None:
    line = line_of(row(7, 7, Decimal("0.00007"), None))
    assert (line.tenant, line.service_tier, line.context_band) == ("acme", "batch", 200_000)
    assert line.quantity == 7
    assert line.old == Rated("flat", Decimal(10), Decimal("0.00007"), "USD")
    assert line.new == Rated("peak", None, None, "USD")


def test_usage_that_came_in_between_is_said() -> None:
    """One side may see a part of a table that the other does not."""
    with pytest.raises(UnavailableError, match="usage of 'acme' came in while it was read"):
        line_of(row(7, 8, Decimal(0), Decimal(0)))
