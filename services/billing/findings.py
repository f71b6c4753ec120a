"""PURE. What is found wrong with a catalogue: one finding an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong (error), doubtful (warning) or worth knowing (note) about an entry."""

    level: Level
    kind: str
    entry: str
    message: str
