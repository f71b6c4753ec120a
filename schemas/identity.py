"""The identity of an event, and the key it has on the log."""

from __future__ import annotations

from typing import Final

from xxhash import xxh3_128_digest

IDENTITY_BYTES: Final = 16


def identity_prefix(tenant: str, source: str) -> str:
    """What the hash covers before the event's id; the same for all events of a gateway.

    The lengths go into it, so ("a-b", "c") and ("a", "b-c") stay two identities.
    """
    return f"{len(tenant)}:{len(source)}:{tenant}{source}"


def identity_hash(tenant: str, source: str, event_id: str) -> bytes:
    """Hash the identity (tenant, source, id) to 16 bytes: the Kafka key, and what dedup remembers.

    128 bits: among 10**12 events the chance that any two collide is below 2 in 10**15. XXH3 is
    no cryptographic hash; docs/adr/0003-identity-hash.md says why that is enough here.
    """
    return xxh3_128_digest(identity_prefix(tenant, source) + event_id)
