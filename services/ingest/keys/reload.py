"""Follows the keys file: a change counts within seconds, a broken file changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from services.ingest.keys.file import read_keys_file, read_pepper
from services.ingest.keys.ring import KeyRing
from services.ingest.metrics import IngestMetrics
from services.platform.errors import ConfigurationError
from services.platform.log import get_logger

log = get_logger(__name__)

#: What a file is known by; a file written again has another inode, whatever its time.
Signature = tuple[int, int, int] | None


def signature(path: Path) -> Signature:
    """Say which version of a file is there, without reading it; None for no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class KeyReload:
    """Keeps a ring as the files say; polls, since a mounted secret changes without a signal."""

    def __init__(
        self,
        ring: KeyRing,
        keys_file: Path,
        pepper_file: Path,
        metrics: IngestMetrics,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._ring = ring
        self._keys_file = keys_file
        self._pepper_file = pepper_file
        self._metrics = metrics
        self._wall_clock = wall_clock
        # None is no signature of a pair: what changed between the start's reading and now counts.
        self._seen: tuple[Signature, Signature] | None = None

    def look(self) -> bool:
        """Take over what changed since the last look; True if the ring is as the files say.

        A file that cannot be read leaves the keys that are known, is logged and counted, and is
        read again only once it changes.
        """
        seen = signature(self._keys_file), signature(self._pepper_file)
        if seen == self._seen:
            return True
        first = self._seen is None
        self._seen = seen
        try:
            entries, pepper = read_keys_file(self._keys_file), read_pepper(self._pepper_file)
        except ConfigurationError as error:
            self._metrics.key_reload_failures.inc()
            log.error("keys not reloaded, the old ones stay", reason=str(error))
            return False
        self._ring.replace(entries, pepper)
        self._metrics.keys_known.set(len(entries))
        self._metrics.keys_loaded_at.set(self._wall_clock())
        if not first:
            log.info("keys reloaded", keys=len(entries))
        return True

    async def follow(self, interval_seconds: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(interval_seconds)
            # Reading is left to a thread only when there is something to read.
            if (signature(self._keys_file), signature(self._pepper_file)) != self._seen:
                await asyncio.to_thread(self.look)
