"""What `make bench` is to measure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bench.fill import PARTITIONS


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and how often."""

    events: int = 2_000_000
    runs: int = 3
    slices: int = 1_000_000
    freshness_rate: float = 30_000
    freshness_seconds: float = 30
    ingest_seconds: float = 10
    #: Names of programs and of `recovery`, `freshness`, `ingest`, `attacks`, `durability`,
    #: `exporter`, `questions`; empty means all.
    only: Collection[str] = ()
    minute_slices: int = 50_000_000
    #: What the events of the programs' runs look like, one of `bench.generator.SHAPES`, and on how
    #: many partitions they lie.
    shape: str = "usual"
    partitions: int = PARTITIONS
    #: What the worker holds at most before ids move to disk; None as shipped.
    ids_in_memory: int | None = None

    def wants(self, name: str) -> bool:
        """Whether this part is to be measured."""
        return not self.only or name in self.only

    @property
    def env(self) -> dict[str, str]:
        """What the worker is told besides its defaults."""
        if self.ids_in_memory is None:
            return {}
        return {"WATTOKEN_AGGREGATOR_IDS_IN_MEMORY_MAX": str(self.ids_in_memory)}
