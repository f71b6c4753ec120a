"""PURE. Arithmetic of money that never rounds unasked, and how an amount is written.

Python's own context of Decimal rounds sums to 28 digits without a word; ClickHouse sums to 76, and
an amount times a rate of exchange has more. Here what does not fit raises `decimal.Inexact`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import (
    ROUND_HALF_UP,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    Underflow,
)
from typing import Final

#: Digits of ClickHouse's widest sum; a rate of exchange has 21, a rate of tax 9; and to spare.
DIGITS_MAX: Final = 160
_EXACT: Final = Context(
    prec=DIGITS_MAX,
    rounding=ROUND_HALF_UP,
    traps=[Inexact, Clamped, DivisionByZero, InvalidOperation, Overflow, Subnormal, Underflow],
)
_ROUNDING: Final = Context(
    prec=DIGITS_MAX, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow]
)
ZERO: Final = Decimal(0)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def difference(amount: Decimal, less: Decimal) -> Decimal:
    """The exact difference."""
    return _EXACT.subtract(amount, less)


def times(amount: Decimal, factor: Decimal) -> Decimal:
    """The exact product."""
    return _EXACT.multiply(amount, factor)


def negative(amount: Decimal) -> Decimal:
    """The amount with the other sign; of 0 it is 0."""
    return _EXACT.minus(amount)


def rounded(amount: Decimal, decimals: int) -> Decimal:
    """Round to so many decimals, half away from 0; what rounds to 0 has no sign."""
    result = _ROUNDING.quantize(amount, Decimal(1).scaleb(-decimals))
    # As an account is written, there is no -0.00.
    return result.copy_abs() if result.is_zero() else result


def money(amount: Decimal | None) -> str:
    """Write an exact amount, or a price; what is None is unpriced."""
    return "unpriced" if amount is None else written(amount)


def written(amount: Decimal, decimals_min: int = 2) -> str:
    """Write an exact amount: so many decimals at least, and as many more as it has."""
    plain = _EXACT.normalize(amount)
    plain = plain.copy_abs() if plain.is_zero() else plain
    whole, _, decimals = f"{plain:,f}".partition(".")
    return f"{whole}.{decimals:0<{decimals_min}}" if decimals or decimals_min else whole
