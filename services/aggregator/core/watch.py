"""Telling a partition that stands still from one that has nothing to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Standing:
    offset: int
    since_seconds: float


class StandstillWatch:
    """Notices partitions with records to read whose position does not move.

    A fetcher can silently stop fetching one partition; only a new process helps then.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._standing: dict[int, _Standing] = {}

    def look(
        self,
        now_seconds: float,
        positions: Mapping[int, int],
        ends: Mapping[int, int],
        *,
        held: bool,
    ) -> list[int]:
        """Give the partitions that stand still for longer than patience allows.

        ``positions`` are offsets to be read next, ``ends`` the ends of the log. While ``held``
        (the worker waits for the database on purpose) no time counts.
        """
        still: dict[int, _Standing] = {}
        for partition, offset in positions.items():
            before = self._standing.get(partition)
            moved = before is None or before.offset != offset
            if moved or held or offset >= ends.get(partition, 0) or before is None:
                still[partition] = _Standing(offset, now_seconds)
            else:
                still[partition] = before
        self._standing = still
        return [
            partition
            for partition, standing in still.items()
            if now_seconds - standing.since_seconds > self._patience_seconds
        ]
