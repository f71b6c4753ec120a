"""PURE: how many bytes of rejections are kept in a day: for each key, and in all.

Nothing here reads a clock: every call is handed ``now`` in seconds of one monotonic clock.
"""

from __future__ import annotations

from threading import Lock
from typing import Final

DAY_SECONDS: Final = 24 * 3600.0
#: This part of a day's bytes may be used at once; the whole of it comes back within the day.
_BURST: Final = 0.25


class DayBudget:
    """Bytes that may be used, which come back evenly over a day."""

    def __init__(self, bytes_per_day: int) -> None:
        self._per_second = bytes_per_day / DAY_SECONDS
        self._most = bytes_per_day * _BURST
        self._left = self._most
        self._at = 0.0

    def left(self, now: float) -> float:
        """Say how many bytes may be used now."""
        earned = max(0.0, now - self._at) * self._per_second
        return min(self._most, self._left + earned)

    def use(self, size_bytes: int, now: float) -> None:
        """Use bytes; more than are left make a debt."""
        self._left = self.left(now) - size_bytes
        self._at = now


class KeptBudget:
    """The budgets of all keys, and the one that they share."""

    def __init__(self, key_bytes_per_day: int, bytes_per_day: int) -> None:
        self._key_bytes_per_day = key_bytes_per_day
        self._all = DayBudget(bytes_per_day)
        self._using = Lock()
        #: As many as there are keys in the keys file.
        self._keys: dict[str, DayBudget] = {}

    def spent(self, key_id: str, now: float) -> str | None:
        """Name the budget that has nothing left for this key, or None."""
        if self._of(key_id).left(now) <= 0:
            return "key_limit"
        return "limit" if self._all.left(now) <= 0 else None

    def use(self, key_id: str, size_bytes: int, now: float) -> None:
        """Use bytes of both; from the event loop, or the thread that reads large bodies."""
        with self._using:
            self._of(key_id).use(size_bytes, now)
            self._all.use(size_bytes, now)

    def _of(self, key_id: str) -> DayBudget:
        return self._keys.setdefault(key_id, DayBudget(self._key_bytes_per_day))
