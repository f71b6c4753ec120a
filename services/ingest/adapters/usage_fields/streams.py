"""PURE: how the usages of one stream become one; each format names its rule.

`latest` holds for every format whose chunks are cumulative: of each count the latest that is not 0
stands. Never a sum: chunks repeat what was used so far. Never a maximum: a later chunk may correct
an estimate downwards. And a 0, a null or an absent name takes nothing back: some servers end with
an empty or a zero object, and some give details only once. A detail that a changed total is too
small for is forgotten: it was of the earlier one.

`latest_with_caches_beside` is for Anthropic's shape, where the input is three numbers that belong
together: what was read from a cache, what was written to it, and the rest. Servers that speak like
it (Kimi, Qwen, Z.ai) begin with an estimate that has all input in the rest, and correct it later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.ingest.adapters.usage_fields.fields import Quantity
from services.ingest.adapters.usage_fields.reading import Told

_PARTS: Final = (Quantity.INPUT, Quantity.CACHE_READ, Quantity.CACHE_WRITE)
_CACHES: Final = (Quantity.CACHE_READ, Quantity.CACHE_WRITE)
#: Parts that some chunks tell with their total, and others do not.
_DETAILS: Final = (
    ((Quantity.CACHE_WRITE_5M, Quantity.CACHE_WRITE_1H), Quantity.CACHE_WRITE),
    ((Quantity.AUDIO_INPUT, Quantity.IMAGE_INPUT), Quantity.INPUT),
    ((Quantity.CACHED_AUDIO, Quantity.CACHED_IMAGE), Quantity.CACHE_READ),
    ((Quantity.CACHED_AUDIO,), Quantity.AUDIO_INPUT),
    ((Quantity.CACHED_IMAGE,), Quantity.IMAGE_INPUT),
    ((Quantity.AUDIO_OUTPUT, Quantity.IMAGE_OUTPUT), Quantity.OUTPUT),
)
#: Sums of other numbers, which prove something about their own object only.
_PROOFS: Final = (Quantity.SUM, Quantity.CACHE_MISS, Quantity.ALL_INPUT)


def latest(chunks: Sequence[Told]) -> Told:
    """Take of each count the latest that is not 0."""
    merged = _Merged()
    for chunk in chunks:
        merged.take(chunk.counts)
    return _proved(chunks, merged.counts_that_fit())


def latest_with_caches_beside(chunks: Sequence[Told]) -> Told:
    """Take the latest, where input and caches are told side by side.

    A chunk with caches, after none had any, replaces the first estimate of the input, by 0 too
    where what it calls cached fits into that estimate. A chunk without caches whose input is all
    that was known, caches included, is the estimate again and changes nothing. Apart from that
    each number goes by `latest`.
    """
    merged = _Merged()
    counts = merged.counts
    for chunk in chunks:
        told = dict(chunk.counts)
        cached_before = sum(counts.get(one, 0) for one in _CACHES)
        cached_now = sum(told.get(one, 0) for one in _CACHES)
        estimate = counts.get(Quantity.INPUT, 0)
        if cached_now and not cached_before and Quantity.INPUT in told:
            if told[Quantity.INPUT] or cached_now <= estimate:
                counts[Quantity.INPUT] = told[Quantity.INPUT]
        elif cached_before and not cached_now:
            known = sum(counts.get(one, 0) for one in _PARTS)
            if told.get(Quantity.INPUT) == known:
                del told[Quantity.INPUT]
        merged.take(told)
    return _proved(chunks, merged.counts_that_fit())


class _Merged:
    """The counts of a stream so far, and which chunk each is of."""

    __slots__ = ("_chunk", "_told_in", "counts")

    def __init__(self) -> None:
        self.counts: dict[Quantity, int] = {}
        self._told_in: dict[Quantity, int] = {}
        self._chunk = 0

    def take(self, told: dict[Quantity, int]) -> None:
        self._chunk += 1
        for quantity, value in told.items():
            if quantity not in _PROOFS and (value or quantity not in self.counts):
                if self.counts.get(quantity) != value:
                    self._told_in[quantity] = self._chunk
                self.counts[quantity] = value

    def counts_that_fit(self) -> dict[Quantity, int]:
        """Forget details of a total that has changed since, where they are too many now.

        And lifetimes that were 0 of what was nothing then: of what came to it nothing is told.
        """
        counts = self.counts
        for parts, total in _DETAILS:
            too_many = sum(counts.get(one, 0) for one in parts) > counts.get(total, 0)
            for one in counts.keys() & parts:
                forgotten = too_many or (total is Quantity.CACHE_WRITE and not counts[one])
                if forgotten and self._told_in.get(one, 0) < self._told_in.get(total, 0):
                    del counts[one]
        return counts


def _proved(chunks: Sequence[Told], counts: dict[Quantity, int]) -> Told:
    """Add the sums of the last chunk that tells these very totals; others prove nothing here."""
    # A chunk of zeros proves a sum of 0 only where there is nothing else.
    speaking = [one for one in chunks if any(one.counts.values())] or chunks
    for chunk in reversed(speaking):
        told = chunk.counts
        if all(told.get(one) == counts.get(one) for one in (Quantity.INPUT, Quantity.OUTPUT)):
            hits = told.get(Quantity.CACHE_READ) == counts.get(Quantity.CACHE_READ)
            for one in _PROOFS:
                if one in told and (hits or one is Quantity.SUM):
                    counts[one] = told[one]
            break
    tiers = [chunk.service_tier for chunk in chunks if chunk.service_tier is not None]
    return Told(
        chunks[0].register,
        chunks[0].where,
        counts,
        service_tier=tiers[-1] if tiers else None,
        merged=len(chunks) > 1,
    )
