"""PURE. A round's events as ingest takes them."""

from __future__ import annotations

import json
from datetime import datetime

from services.canary.books import INPUT_TOKENS, mark
from services.canary.rounds import Round


def body_of(one: Round, name: str, at: datetime) -> bytes:
    """Write the round as NDJSON, each event with its number as id, of the time ``at`` (UTC).

    A round is written once and sent as it is, however often: a resend is the same in all.
    """
    time = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return b"\n".join(
        json.dumps(
            {
                "id": str(number),
                "source": name,
                "tenant": name,
                "time": time,
                "region": name,
                "provider": name,
                "model": name,
                "input_tokens": INPUT_TOKENS,
                "output_tokens": mark(number),
            }
        ).encode()
        for number in one.numbers
    )
