"""PURE. What the exporter's text says of the canary."""

from __future__ import annotations

import re
from typing import Final

from services.canary.books import Metered

#: What is asked of the exporter: nothing else is written out for it.
COLUMNS: Final = tuple(
    f"wattoken_canary_metered_{name}" for name in ("requests", "input_tokens", "output_tokens")
)
_COLLECTORS: Final = "wattoken_scrape_collector_success"
QUERY: Final = "&".join(f"name[]={name}" for name in (*COLUMNS, _COLLECTORS))
_SAMPLE: Final = re.compile(r'^(\w+)\{(?:canary|collector)="([^"]*)"\} (\S+)$', re.MULTILINE)


def metered_in(text: str, name: str) -> Metered | None:
    """What the registers hold of the canary called ``name``; None where they could not be read.

    Raises `ValueError` for a text that no exporter of ours writes.
    """
    samples = {(found[1], found[2]): found[3] for found in _SAMPLE.finditer(text)}
    if (_COLLECTORS, "registers") not in samples:
        raise ValueError("it says nothing of registers: is it an exporter of this version?")
    if float(samples[_COLLECTORS, "registers"]) != 1:
        return None
    # Of a canary that never sent anything there is no register.
    return Metered(*(_whole(samples.get((column, name), "0")) for column in COLUMNS))


def _whole(text: str) -> int:
    """Read a whole number to the last digit, or as another writer might put it, with a point."""
    return int(text) if text.isdecimal() else int(float(text))
