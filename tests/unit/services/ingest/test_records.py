"""An accepted event as a record."""

from __future__ import annotations

from schemas import wire
from schemas.identity import identity_hash
from services.ingest.records import to_record

RECORD = (
    b'{"id":"a","source":"gw","tenant":"acme","time":"2026-03-15T12:00:00Z","region":"eu",'
    b'"provider":"openai","model":"m","input_tokens":10,"output_tokens":5}'
)


def test_a_record_is_the_event_under_its_identity() -> None:
    record = to_record(wire.decode(RECORD))
    assert record == {"key": identity_hash("acme", "gw", "a"), "value": RECORD}
