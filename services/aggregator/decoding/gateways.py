"""The gateways that report: pairs of tenant and source, each with what is needed per event."""

from __future__ import annotations

from typing import Final

import numpy as np

from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.key_index import Ints
from services.aggregator.arrays.seen_hash import seed
from services.aggregator.decoding.labels import Labels

ROOM_MIN: Final = 1024


class Gateways:
    """Numbers of gateways; by number, the tenant's number and what hashes of ids start from."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._numbers: dict[tuple[str, str], int] = {}
        self.tenants: Ints = np.zeros(ROOM_MIN, np.int64)
        self.seeds: Words = np.zeros((ROOM_MIN, 2), np.uint64)

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, tenant: str, source: str) -> int:
        """The number of a gateway."""
        number = self._numbers.get((tenant, source))
        if number is None:
            number = len(self._numbers)
            if number == len(self.tenants):
                self.tenants = np.concatenate((self.tenants, np.zeros_like(self.tenants)))
                self.seeds = np.concatenate((self.seeds, np.zeros_like(self.seeds)))
            self.tenants[number] = self._labels.tenants.number(tenant)
            self.seeds[number] = seed(tenant, source)
            self._numbers[tenant, source] = number
        return number
