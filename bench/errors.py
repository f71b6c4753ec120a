"""Errors of the benchmarks.

::

    WattokenError
    └── BenchError        a measurement could not be made; its text ends in what the program said
        └── VoidRunError  a program finished with other totals than were produced
"""

from __future__ import annotations

from services.platform.errors import WattokenError


class BenchError(WattokenError):
    """A measurement could not be made."""


class VoidRunError(BenchError):
    """A program finished, but not with the totals that were produced: its time says nothing."""
