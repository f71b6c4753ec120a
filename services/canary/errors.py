"""What may go wrong between the canary and what it watches; each is counted and tried again.

::

    WattokenError
    └── AttemptError            an attempt failed; ``what`` says of whom and how, for a metric
"""

from __future__ import annotations

from services.platform.errors import WattokenError


class AttemptError(WattokenError):
    """An attempt to send or to read failed; the next may not."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(reason)
        self.what = what
