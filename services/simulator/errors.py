"""Errors of the simulator and of the commands that look after its traffic.

::

    WattokenError
    ├── ConfigurationError        (services/platform/errors.py)
    │   ├── TraceError            a trace file's line and column cannot be read
    │   └── LedgerError           a ledger file cannot be used
    └── UnavailableError          (services/platform/errors.py)
        └── NotCaughtUpError      the aggregator did not reach the log's end in time
"""

from __future__ import annotations

from services.platform.errors import ConfigurationError, UnavailableError


class TraceError(ConfigurationError):
    """A trace file cannot be read; the text names line and column."""


class LedgerError(ConfigurationError):
    """A ledger file cannot be used."""


class NotCaughtUpError(UnavailableError):
    """The aggregator did not reach the log's end in time."""
