"""PURE. A log's place among those that it follows and that follows it, as a worker needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.aggregator.errors import LogReplacedError, PartitionsChangedError
from services.platform.kafka_log import Log
from services.platform.succession import Succession, group_of


@dataclass(frozen=True, slots=True)
class Lineage:
    """A log with those before it, oldest first, and the one after it if its end is known."""

    log: Log
    group: str
    predecessors: tuple[Succession, ...]
    successor: Succession | None

    @property
    def partitions(self) -> int:
        """How many partitions are metered; those added after the log's end do not count."""
        if self.successor is None or self.successor.ends is None:
            return self.log.partitions
        return len(self.successor.ends)

    @property
    def ends(self) -> dict[int, int]:
        """Up to where each partition is to be metered; none while the log goes on."""
        if self.successor is None or self.successor.ends is None:
            return {}
        return {number: at.end for number, at in enumerate(self.successor.ends)}


def lineage_of(chain: Sequence[Succession], log: Log, group: str) -> Lineage:
    """Place a log, as Kafka has it now, in its chain.

    A topic that was deleted and recreated is another log than the chain says: one that ended the
    chain stands alone then. Raises `LogReplacedError` where a later one follows it, for what was
    on the first is lost before it was metered.
    """
    before = next((one for one in chain if one.topic == log.topic), None)
    after = next((one for one in chain if one.predecessor_topic == log.topic), None)
    if after is not None and after.predecessor_log != log.name:
        raise LogReplacedError(
            f"topic {log.topic} was deleted and recreated before it was metered to its end: it was"
            f" log {after.predecessor_log} and is {log.name}. What it held is lost; to go on with"
            f" {after.topic}, see docs/runbook.md, 'The topic before is gone'"
        )
    if before is not None and before.log != log.name:
        return Lineage(log, group, (), None)
    predecessors = chain[: chain.index(before) + 1] if before is not None else ()
    return Lineage(log, group_of(group, chain, log.topic), tuple(predecessors), after)


def check_same(log: Log, now: Log) -> None:
    """Raise `LogReplacedError` where the topic is another log now."""
    if now.name != log.name:
        raise LogReplacedError(
            f"topic {log.topic} was deleted and recreated: it was log {log.name} and is"
            f" {now.name}. Run `wattoken migrate` and start the worker again: it begins with the"
            " new log"
        )


def check_partitions(log: Log, now: int, lineage: Lineage | None = None) -> None:
    """Raise `PartitionsChangedError` where a topic has more partitions now than the log had.

    A key that went to one of them may go to another by now, so a resend would not meet its first.
    What is added to a log that has ended changes nothing: nobody writes to it.
    """
    if now > log.partitions and (lineage is None or lineage.successor is None):
        raise PartitionsChangedError(
            f"topic {log.topic} was made with {log.partitions} partitions and has {now}: keys go"
            " elsewhere by now, so what is sent again would count again. Run `wattoken succeed"
            f" --topic NEW --partitions {now}`, which loses nothing: docs/runbook.md,"
            " 'Partitions were added'"
        )
