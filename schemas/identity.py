"""The identity of an event, and the key it has on the log."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from xxhash import xxh3_128_digest

IDENTITY_BYTES: Final = 16
#: Ids of more characters than this are digests on the log.
ID_LENGTH_MAX: Final = 128


def compact_id(event_id: str) -> str:
    """Give an id as the log has it: a long one as ``sha256:`` and the digest of its UTF-8, in hex.

    The same everywhere, in the client package too, so that reports of one call still meet.
    docs/adr/0020-long-ids.md says why this digest.
    """
    if len(event_id) <= ID_LENGTH_MAX:
        return event_id
    return f"sha256:{sha256(event_id.encode('utf-8', 'surrogatepass')).hexdigest()}"


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
