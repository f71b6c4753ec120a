"""Errors that the shared plumbing raises; library exceptions are mapped to them where they enter.

::

    WattokenError                 anything of ours; its text is one line that says what to do
    ├── ConfigurationError        a setting, file or argument is wrong; a person must fix it
    └── UnavailableError          Kafka or ClickHouse does not answer (in time); retrying may help
        └── DatabaseUnavailableError    the same, and it is ClickHouse
"""

from __future__ import annotations


class WattokenError(Exception):
    """Base of all errors of ours; the command line prints its text as one line."""


class ConfigurationError(WattokenError):
    """A setting, file or argument is wrong; a person must fix it."""


class UnavailableError(WattokenError):
    """Kafka or ClickHouse does not answer, or not in time; retrying may help."""


class DatabaseUnavailableError(UnavailableError):
    """ClickHouse does not answer, not in time, or not soundly; retrying may help."""
