"""The duplicate rule, and the ids seen that it decides by.

A duplicate is an event whose identity was seen in the same log partition less than the horizon
before it, measured in log-append time. Every sighting counts, a duplicate's too: so the answer
is a function of the last horizon of the log alone, and the same on every worker. Events that the
time rules refuse are not seen: sent again at a better time, they count.
"""

from __future__ import annotations


class SeenIds:
    """The identities seen within the horizon, in memory, oldest sighting first.

    Append times handed in must not fall; the caller sees to that.
    """

    __slots__ = ("_last_seen_ms",)

    def __init__(self) -> None:
        # A dict keeps insertion order; a sighting moves its id to the end, so the oldest come
        # first and expiry never looks at an id that stays.
        self._last_seen_ms: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._last_seen_ms)

    def see(self, identity: bytes, append_ms: int, horizon_ms: int) -> bool:
        """Record a sighting and say whether it is a duplicate."""
        last_ms = self._last_seen_ms.pop(identity, None)
        self._last_seen_ms[identity] = append_ms
        return last_ms is not None and append_ms - last_ms < horizon_ms

    def forget(self, append_ms: int, horizon_ms: int) -> None:
        """Drop the ids that can make nothing appended at ``append_ms`` or later a duplicate."""
        expired = []
        for identity, last_ms in self._last_seen_ms.items():
            if append_ms - last_ms < horizon_ms:
                break
            expired.append(identity)
        for identity in expired:
            del self._last_seen_ms[identity]
