"""Errors of the client. None of them leaves `Meter.record`.

::

    MeterError
    ├── ConfigurationError   a meter cannot be made as it was asked for; only the constructor raises
    ├── InvalidEventError    what was recorded is no event; it is dropped, counted and logged
    └── SpoolError           the disk did not take a batch; it stays in memory
"""

from __future__ import annotations


class MeterError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(MeterError):
    """A meter cannot be made as it was asked for."""


class InvalidEventError(MeterError):
    """What was recorded is no event."""


class SpoolError(MeterError):
    """The disk did not take a batch, or the spool is full."""
