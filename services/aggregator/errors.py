"""What stops the aggregator, instead of letting it guess.

::

    WattokenError                       services/platform/errors.py
    └── MeteringStoppedError            a person must decide; the text names partition and remedy
        ├── EventsLostError             log start > checkpoint: retention overtook the meter
        ├── CheckpointAheadError        checkpoint > log end: the log lost events, or is another
        └── RulesMissingError           the log has no metering rules yet

    DatabaseWentBackError               a checkpoint is lower than this worker last wrote: it drops
                                        its memory and recovers, so it stops nothing
"""

from __future__ import annotations

from services.platform.errors import WattokenError


class MeteringStoppedError(WattokenError):
    """Going on would be guessing; the text names the partition, the offsets and the remedy."""


class EventsLostError(MeteringStoppedError):
    """Events between checkpoint and log start were deleted before they were metered."""


class CheckpointAheadError(MeteringStoppedError):
    """The checkpoint lies beyond the end of the log."""


class RulesMissingError(MeteringStoppedError):
    """The log has no metering rules yet."""


class DatabaseWentBackError(Exception):
    """The database is older than what this worker last wrote to it: a backup was restored."""
