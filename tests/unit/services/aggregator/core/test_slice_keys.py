"""Keys of slices: nothing is lost in them, and nothing is taken for another."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.slice_keys import (
    ACCOUNT_BITS,
    VARIETY_MASK,
    pack,
    unpack,
    varieties,
    windows_of,
)
from services.aggregator.core.windows import FAMILIES, HOUR, MINUTE, REGISTER, UNIT, Family
from services.aggregator.decoding.labels import CLASSES_MAX, Labels

#: Until 2200, as windows are numbered.
MINUTES, HOURS = (1 << 27) - 1, (1 << 21) - 1
#: Window, tenant, series and variety.
NUMBERS = [
    (0, 0, 0, 0),
    (1, 2, 3, 4),
    (1, 3, 2, 4),
    (1, 2, 3, 5),
    (2, 2, 3, 4),
    (HOURS, (1 << 32) - 1, (1 << 31) - 1, CLASSES_MAX - 1),
]


def columns(rows: Sequence[tuple[int, ...]]) -> list[Ints]:
    return [np.array(column, np.int64) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("family", [HOUR, UNIT], ids=lambda family: family.name)
def test_numbers_of_a_family_with_tenants_come_out_again(family: Family) -> None:
    labels = Labels()
    keys = pack(family, labels, *columns(NUMBERS))
    assert (keys >= 0).all() and len(set(keys.tolist())) == len(NUMBERS)
    found = unpack(family, labels, keys)
    assert found.tenants is not None and found.varieties is not None
    told = zip(found.windows, found.tenants, found.series, found.varieties, strict=True)
    assert [tuple(map(int, row)) for row in told] == NUMBERS
    assert windows_of(family, keys).tolist() == [row[0] for row in NUMBERS]


@pytest.mark.parametrize("window", [0, 7, HOURS])
def test_the_last_account_takes_no_window_from_another(window: int) -> None:
    """Accounts are numbered as they come, so a test with few of them would not see it."""
    labels = Labels()
    account = (1 << ACCOUNT_BITS) - 1
    numbering = SimpleNamespace(number=lambda tenants, series: np.full(len(tenants), account))
    labels.accounts = numbering  # type: ignore[assignment]
    rows = [(window, 1, 1, variety) for variety in (0, CLASSES_MAX - 1)]
    keys = pack(HOUR, labels, *columns(rows))
    assert len(set(keys.tolist())) == 2 and (keys >= 0).all()
    assert windows_of(HOUR, keys).tolist() == [window] * 2


@pytest.mark.parametrize("window", [0, 29_600_000, MINUTES])
def test_a_family_without_tenants_keeps_series_apart_alone(window: int) -> None:
    labels = Labels()
    rows = [(window, tenant, series, 3) for tenant in (5, 6) for series in (7, (1 << 36) - 1)]
    keys = pack(MINUTE, labels, *columns(rows))
    assert len(set(keys.tolist())) == 2 and (keys >= 0).all()
    found = unpack(MINUTE, labels, keys)
    assert (found.tenants, found.varieties) == (None, None)
    assert found.series.tolist() == [7, (1 << 36) - 1] * 2
    assert found.windows.tolist() == windows_of(MINUTE, keys).tolist() == [window] * 4


def test_varieties_are_those_of_the_family() -> None:
    labels = Labels()
    assert varieties(HOUR, labels) is labels.classes
    assert varieties(UNIT, labels) is labels.units
    assert VARIETY_MASK + 1 == CLASSES_MAX
    with_varieties = [family for family in FAMILIES if family.variety is not None]
    assert all(family.has_tenant for family in with_varieties), "elsewhere keys have no room"
    assert REGISTER.variety_columns == ()
