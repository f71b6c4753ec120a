"""The sums that any program must find, made from what was drawn and not from any program."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.generator import PROVIDER, Block, Load
from bench.peers.grain import Grain, Sums, summed

Ints = NDArray[np.int64]


class Oracle:
    """Adds up blocks of a load by the keys of a grain."""

    def __init__(self, load: Load, grain: Grain) -> None:
        self._load = load
        self._grain = grain
        #: How many different values each column has; columns that are not in the grain have one.
        self._kinds = {
            "tenant": load.tenants,
            "region": len(load.regions),
            "provider": 1,
            "model": load.models,
        }
        self._keys: list[Ints] = []
        self._tokens: list[Ints] = []

    def add(self, block: Block) -> None:
        """Take a block in."""
        drawn = block.drawn
        numbers = {
            "tenant": drawn.tenants,
            "region": drawn.regions,
            "provider": np.zeros_like(drawn.tenants),
            "model": drawn.models,
        }
        keys = drawn.times_ms // (1000 * self._grain.window_seconds)
        for column in self._grain.columns:
            keys = keys * self._kinds[column] + numbers[column]
        self._keys.append(keys)
        self._tokens.append(np.stack((drawn.input_tokens, drawn.output_tokens)))

    def sums(self) -> Sums:
        """The sums of all blocks so far."""
        if not self._keys:
            return summed(())
        keys, places = np.unique(np.concatenate(self._keys), return_inverse=True)
        tokens = np.zeros((2, len(keys)), np.int64)
        for total, values in zip(tokens, np.concatenate(self._tokens, axis=1), strict=True):
            np.add.at(total, places, values)
        return summed(zip(self._texts(keys), *tokens.tolist(), strict=True))

    def _texts(self, keys: Ints) -> Iterator[str]:
        """The keys as programs write them."""
        meanings = {
            "tenant": lambda number: f"tenant-{number}",
            "region": lambda number: self._load.regions[number],
            "provider": lambda number: PROVIDER,
            "model": lambda number: f"model-{number}",
        }
        for key in keys.tolist():
            words = []
            for column in reversed(self._grain.columns):
                key, number = divmod(key, self._kinds[column])
                words.append(meanings[column](number))
            yield "|".join((str(key * self._grain.window_seconds), *reversed(words)))
