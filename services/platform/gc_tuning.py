"""Python's cycle collector, kept from walking what stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def tune_gc(allocations: int, *generations: int) -> None:
    """Leave alone what is there now, and look for cycles only after so many allocations.

    Batches make many short-lived objects and next to no cycles; walking millions of objects that
    stay, over and over, would cost every batch. ``generations`` are the thresholds of the older
    ones, as in `gc.set_threshold`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(allocations, *generations)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Look for no cycles meanwhile: imports make next to none, and looking is an eighth of them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
