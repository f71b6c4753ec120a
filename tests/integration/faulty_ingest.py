"""`wattoken ingest` whose reader of OpenAI's usage objects has a fault that nobody foresaw.

Which events ingest cannot read nobody can know: those that are known are refused by name, and
fuzzing finds no other. So a fault is planted, in the process that meets it.
"""

from __future__ import annotations

from services import cli
from services.ingest.adapters import native
from services.ingest.keys.entry import KeyEntry

#: What a provider's usage object has in it one day.
UNFORESEEN = "tokens_of_tomorrow"

adapt = native.adapt


def fails_on_tomorrow(raw: bytes, key: KeyEntry) -> object:
    """Read one event, as ever; but what is new there is looked up where it is not."""
    if UNFORESEEN.encode() in bytes(raw):
        raise KeyError(UNFORESEEN)
    return adapt(raw, key)


if __name__ == "__main__":
    native.adapt = fails_on_tomorrow  # type: ignore[assignment]
    cli.main()
