"""Ids for events: UUID version 7 (RFC 9562), which sort by the time they were made, and digests."""

from __future__ import annotations

import os
import time
import uuid
from hashlib import sha256
from typing import Final

#: Ids of more characters than this are digests.
ID_LENGTH_MAX: Final = 128


def new_id() -> str:
    """Make an id: 48 bits of Unix milliseconds, then 74 random bits of the system's source.

    The system's source needs no state of ours, so a forked process never repeats its parent's ids.
    """
    now_ms = time.time_ns() // 1_000_000
    bits = (now_ms & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76  # version
    bits = bits & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=bits))


def compact_id(event_id: str) -> str:
    """Give an id as ingest has it: a long one as ``sha256:`` and its digest, so reports meet."""
    if len(event_id) <= ID_LENGTH_MAX:
        return event_id
    return f"sha256:{sha256(event_id.encode('utf-8', 'surrogatepass')).hexdigest()}"
