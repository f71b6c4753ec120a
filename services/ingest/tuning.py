"""How the interpreter runs where batches are read."""

from __future__ import annotations

import sys
from typing import Final

from services.platform.gc_tuning import tune_gc

#: A request leaves next to no cycles behind, but a batch makes thousands of objects.
_GC_ALLOCATIONS: Final = 50_000
#: A large body is read in a thread; after so long the event loop gets its turn.
_TURN_SECONDS: Final = 0.001


def tune_interpreter() -> None:
    """Look for cycles rarely, and change threads often."""
    tune_gc(_GC_ALLOCATIONS)
    sys.setswitchinterval(_TURN_SECONDS)
