"""PURE. Keys of slices: window, account and variety, or window and series, packed into an integer.

An account is a tenant and a series; a variety is a price class or a unit. A window number is its
start divided by its length: 27 bits of minutes and 21 bits of hours both last until 2200. The rest
are label numbers. Memory ends long before those of series and accounts do, so no names can fill
them; varieties have few bits, and only who changes the rules of a log makes more of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.windows import Family
from services.aggregator.decoding.labels import CLASSES_MAX, Labels, Numbers, Unit

SERIES_BITS: Final = 36
ACCOUNT_BITS: Final = 30
VARIETY_BITS: Final = CLASSES_MAX.bit_length() - 1
VARIETY_MASK: Final = (1 << VARIETY_BITS) - 1


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """What keys stand for, in columns of numbers; None where a family keeps nothing apart by it."""

    windows: Ints
    tenants: Ints | None
    series: Ints
    varieties: Ints | None


def label_bits(family: Family) -> int:
    """How many bits of a key are below its window number."""
    return ACCOUNT_BITS + VARIETY_BITS if family.has_tenant else SERIES_BITS


def varieties(family: Family, labels: Labels) -> Numbers[Any]:
    """The numbers of a family's varieties; what they mean has the fields of `Family.variety`."""
    return labels.units if family.variety is Unit else labels.classes


def pack(
    family: Family, labels: Labels, windows: Ints, tenants: Ints, series: Ints, varieties: Ints
) -> Ints:
    """Pack numbers into keys; what the family does not keep apart is left out."""
    if not family.has_tenant:
        return (windows << SERIES_BITS) | series
    accounts = labels.accounts.number(tenants, series)
    return (windows << label_bits(family)) | (accounts << VARIETY_BITS) | varieties


def unpack(family: Family, labels: Labels, keys: Ints) -> KeyColumns:
    """Say what keys stand for."""
    numbers = keys & np.int64((1 << label_bits(family)) - 1)
    if not family.has_tenant:
        return KeyColumns(windows_of(family, keys), None, numbers, None)
    tenants, series = labels.accounts.meaning(numbers >> VARIETY_BITS)
    return KeyColumns(windows_of(family, keys), tenants, series, numbers & VARIETY_MASK)


def windows_of(family: Family, keys: Ints) -> Ints:
    """The window numbers in keys."""
    return keys >> label_bits(family)
