"""PURE. What the events of a batch add to each family of slices, by key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.metering_rules import MeteringRules
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.judging import Columns
from services.aggregator.core.slice_keys import pack
from services.aggregator.core.windows import HOUR, MINUTE, REGISTER, UNIT, Family
from services.aggregator.decoding.labels import Labels


@dataclass(frozen=True, slots=True)
class Additions:
    """Accepted events of a batch, for one family: a key, an offset and measures each."""

    family: Family
    keys: Ints
    offsets: Ints
    measures: Ints

    def only(self, wanted: NDArray[np.bool_]) -> Additions:
        """The events that are wanted."""
        return Additions(
            self.family, self.keys[wanted], self.offsets[wanted], self.measures[wanted]
        )


def additions(
    columns: Columns, classes: Ints, rules: MeteringRules, labels: Labels
) -> list[Additions]:
    """Say what events add to each family; ``classes`` are numbers of `Labels`."""
    if not len(columns):
        return []
    found = [
        addition(family, columns, classes, columns.measures, rules, labels)
        for family in (REGISTER, MINUTE, HOUR)
    ]
    if columns.units.any():
        events, units = np.nonzero(columns.units)
        quantities = columns.units[events, units].reshape(-1, 1)
        found.append(addition(UNIT, columns.at(events), units, quantities, rules, labels))
    return found


def addition(
    family: Family,
    columns: Columns,
    varieties: Ints,
    measures: Ints,
    rules: MeteringRules,
    labels: Labels,
) -> Additions:
    """Say what events add to a family, ``measures`` being what it adds up.

    Windows past a family's retention are left out, so that TTL and late events never fight.
    """
    windows = family.window_numbers(columns.seconds)
    keys = pack(family, labels, windows, columns.tenants, columns.series, varieties)
    added = Additions(family, keys, columns.offsets, measures)
    newest_append_ms = int(columns.append_ms.max())
    if windows.min() < family.metered_from(newest_append_ms, rules):
        first = [family.metered_from(at, rules) for at in columns.append_ms.tolist()]
        return added.only(windows >= np.array(first))
    return added
