"""Slices and views of one moment, read from a database that is written to meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from clickhouse_connect.driver.client import Client

from services.audit.comparison import StoredFamily
from services.audit.stored import read_fingerprints, read_others, read_slices, read_view
from services.audit.stored_rows import Family, ViewKey, Windows, view_key

ROUNDS: Final = 12
PAUSE_SECONDS: Final = 0.3


def read_family(
    client: Client,
    family: Family,
    log: str,
    windows: Windows,
    pause: Callable[[float], None] = time.sleep,
) -> StoredFamily:
    """Read slices and view; a row counts as read when nothing under it moved meanwhile.

    What moved is read again, a few times. What is left then is in `StoredFamily.moving`.
    """
    stored = StoredFamily(family)
    asked = windows
    for number in range(ROUNDS):
        if number:
            # Workers write in a steady beat, which must not be met every time.
            pause(PAUSE_SECONDS * (0.5 + random.random()))
        before = read_fingerprints(client, family, asked)
        slices = StoredFamily(family)
        for key, row in read_slices(client, family, log, asked):
            slices.slices.setdefault(key, {})[row.partition] = row
        slices.others = read_others(client, family, log, asked)
        slices.view = read_view(client, family, asked)
        after = read_fingerprints(client, family, asked)
        moved = {
            key
            for key in before.keys() | after.keys() | slices.view.keys()
            if before.get(key) != after.get(key)
        }
        _take(stored, slices, moved, first=number == 0)
        if not stored.moving:
            break
        if family.has_window:
            asked = replace(windows, only=frozenset(key.window for key in stored.moving))
    return stored


def _take(stored: StoredFamily, fresh: StoredFamily, moved: set[ViewKey], *, first: bool) -> None:
    """Take over the rows that were wanted: all at first, later those that had moved before."""
    wanted = fresh.keys | moved if first else set(stored.moving)
    for slice_key, rows in fresh.slices.items():
        if view_key(stored.family, slice_key) in wanted:
            stored.slices[slice_key] = rows
    for name in ("others", "view"):
        taken = getattr(fresh, name)
        getattr(stored, name).update({key: taken[key] for key in taken if key in wanted})
    stored.moving = wanted & moved
