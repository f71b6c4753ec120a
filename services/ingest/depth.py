"""PURE: how deep a JSON text nests, found without building what it says."""

from __future__ import annotations

from typing import Final

import msgspec

from services.ingest.errors import EventRejectedError
from services.ingest.structure import marks_outside_texts

#: No source's events nest deeper than ten levels.
DEPTH_MAX: Final = 32
_BRACKETS: Final = b"[]{}"
_OPENING: Final = b"[{"


def check_depth(raw: bytes | msgspec.Raw) -> None:
    """Refuse an event that nests deeper than `DEPTH_MAX`; raises `EventRejectedError`."""
    text = raw if isinstance(raw, bytes) else bytes(raw)
    # Nearly every event has so few brackets that it cannot nest too deep.
    if text.count(b"{") + text.count(b"[") <= DEPTH_MAX:
        return
    depth = 0
    for brackets in marks_outside_texts(text, _BRACKETS):
        for bracket in brackets:
            if bracket in _OPENING:
                depth += 1
                if depth > DEPTH_MAX:
                    raise EventRejectedError(
                        "too_deep", f"the event nests deeper than {DEPTH_MAX} levels: flatten it"
                    )
            else:
                depth -= 1
