"""What stops the aggregator, instead of letting it guess.

::

    WattokenError                       services/platform/errors.py
    ├── MeteringStoppedError            a person must decide; the text names partition and remedy
    │   ├── EventsLostError             log start > checkpoint: retention overtook the meter
    │   ├── CheckpointAheadError        checkpoint > log end: the log lost events, or is another
    │   ├── LogRewrittenError           below the checkpoint the log has other records
    │   ├── DatabaseBehindError         Kafka knows of a later checkpoint than the database
    │   ├── ContradictionError          two rows of one key and version with distinct totals
    │   ├── LogReplacedError            the topic was deleted and recreated under the worker
    │   ├── PartitionsChangedError      partitions were added to the topic under the worker
    │   ├── PredecessorGoneError        the log before this one is gone, and its ids are needed
    │   ├── SuccessionUnknownError      Kafka knows that the log was followed, the database not
    │   ├── StandstillError             a partition with records to read does not move, or one of
    │   │                               ours is not metered at all
    │   └── RulesMissingError           the log has no metering rules yet
    └── DecoderDiedError                a decoder process ended by itself; a restart fixes it

    TotalTooLargeError                  core/slices.py: a sum would wrap; outside it becomes a
                                        MeteringStoppedError
    TooManyClassesError                 decoding/labels.py: rules were changed so often that price
                                        classes have no numbers left; outside it becomes the same

    Signals within the aggregator, each caught there; none of them stops it:

    DatabaseWentBackError               a checkpoint is lower than this worker last wrote: it drops
                                        its memory and recovers
    AbandonedError                      storage/retry.py: the partitions went elsewhere meanwhile
    ClosedStoreError                    storage/seen_store.py: the same, of the ids on disk
    RecordsReplacedError                core/continuity.py: the log has other records than were
                                        read; they are read again from the checkpoint
    IdsUnreadableError                  core/dedup.py: ids on disk; they are read from the log again
    StoreFault, PlaceTakenError         storage/store_files.py: a disk of ids that fails or is
                                        another's; ids stay in memory
    DamagedCopyError                    storage/copy_pieces.py: a copy of ids is not what was
                                        copied; it is not used
"""

from __future__ import annotations

from services.platform.errors import WattokenError


class MeteringStoppedError(WattokenError):
    """Going on would be guessing; the text names the partition, the offsets and the remedy."""


class EventsLostError(MeteringStoppedError):
    """Events between checkpoint and log start were deleted before they were metered."""


class CheckpointAheadError(MeteringStoppedError):
    """The checkpoint lies beyond the end of the log."""


class LogRewrittenError(MeteringStoppedError):
    """Below the checkpoint the log has other records than those that were metered."""


class DatabaseBehindError(MeteringStoppedError):
    """The group committed offsets to Kafka that no checkpoint in the database has reached."""


class ContradictionError(MeteringStoppedError):
    """Two rows of one slice have the same version and distinct totals."""


class LogReplacedError(MeteringStoppedError):
    """The topic is not the log any more that this worker began with."""


class PartitionsChangedError(MeteringStoppedError):
    """The topic has more partitions than its keys were spread over so far."""


class PredecessorGoneError(MeteringStoppedError):
    """The topic that this log follows does not exist any more, and its ids are still needed."""


class SuccessionUnknownError(MeteringStoppedError):
    """Kafka knows of a successor of this log that the database knows nothing of."""


class StandstillError(MeteringStoppedError):
    """A partition with records to read does not move, and nothing is known to hold it."""


class RulesMissingError(MeteringStoppedError):
    """The log has no metering rules yet."""


class DecoderDiedError(WattokenError):
    """A decoder process ended by itself, killed for want of memory say. Start the worker again."""


class DatabaseWentBackError(Exception):
    """The database is older than what this worker last wrote to it: a backup was restored."""
