"""PURE: an accepted event as the record that goes onto the log."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from schemas.identity import identity_hash
from schemas.wire import WireEvent, encode


class Record(TypedDict):
    """One record as the Kafka client takes it."""

    key: bytes
    value: bytes
    #: Left by the client in a record that it did not take.
    _error: NotRequired[Any]


def to_record(event: WireEvent) -> Record:
    """Encode an event, keyed by its identity: a resend lands in the partition of the first."""
    return {
        "key": identity_hash(event.tenant, event.source, event.id),
        "value": encode(event),
    }
