"""PURE. A log that is followed by another: which, where the earlier ended, and the chain of them.

The number of partitions decides where a key lies, so it cannot change within a log; a log with
another number follows it instead. A succession is first *announced* (`ends` is None: producers go
over to the successor) and then *complete* (the predecessor is closed and its ends are known: the
meter goes over once it has metered up to them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from services.platform.errors import ConfigurationError

#: What Kafka takes as the name of a topic.
TOPIC_NAME: Final = r"^[A-Za-z0-9._-]{1,249}\Z"
#: No batch of a valid event is as small as this, in any codec; the marker that ends a transaction
#: (78 bytes) is smaller. A topic whose largest batch is this takes no event any more.
CLOSED_BATCH_BYTES_MAX: Final = 100

Name = Annotated[str, msgspec.Meta(pattern=TOPIC_NAME)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Offset = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is metered of a partition of a log that ended: from `start` to below `end`."""

    start: Offset
    end: Offset


@dataclass(frozen=True, slots=True)
class Succession:
    """One log follows another; `log` and `predecessor_log` are cluster id + '/' + topic id."""

    log: str
    topic: Name
    partitions: Count
    predecessor_log: str
    predecessor_topic: Name
    #: One for each partition of the predecessor, by number; None while that is not closed yet.
    ends: tuple[Stretch, ...] | None

    @property
    def cluster_id(self) -> str:
        """The cluster of the successor."""
        return self.log.partition("/")[0]

    @property
    def complete(self) -> bool:
        """Whether the predecessor's ends are known."""
        return self.ends is not None

    def unmetered(self, next_offsets: Mapping[int, int]) -> int:
        """How many offsets of the predecessor no checkpoint covers; ``next_offsets`` are those.

        A partition of which nothing is to be metered needs no checkpoint.
        """
        assert self.ends is not None, "an announced succession has no ends"
        return sum(
            max(0, stretch.end - next_offsets.get(partition, stretch.start))
            for partition, stretch in enumerate(self.ends)
        )


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Succession)


def encode(succession: Succession) -> bytes:
    """Write a succession as the JSON that `decode` reads."""
    return _encoder.encode(succession)


def decode(data: bytes) -> Succession:
    """Read a succession. Raises ValueError saying what is wrong."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def first_of_each(successions: Iterable[Succession]) -> list[Succession]:
    """Keep one successor of each topic: the one named first, complete where it is said so.

    Of two that were announced at once, the later is void; so all who read them in their order
    agree.
    """
    chosen: dict[str, Succession] = {}
    for found in successions:
        known = chosen.get(found.predecessor_topic)
        if known is None or (
            not known.complete
            and (known.log, known.predecessor_log) == (found.log, found.predecessor_log)
        ):
            chosen[found.predecessor_topic] = found
    return list(chosen.values())


def chain_of(successions: Iterable[Succession], topic: str) -> list[Succession]:
    """The successions of the chain that a topic of one cluster stands in, oldest first.

    Raises `ConfigurationError` where they go in a circle.
    """
    found = list(successions)
    by_successor = {one.topic: one for one in found}
    by_predecessor = {one.predecessor_topic: one for one in found}
    chain: list[Succession] = []
    at = topic
    while (before := by_successor.get(at)) is not None:
        chain.insert(0, before)
        at = before.predecessor_topic
        if len(chain) > len(found):
            raise _circle(topic)
    at = topic
    while (after := by_predecessor.get(at)) is not None:
        chain.append(after)
        at = after.topic
        if len(chain) > len(found):
            raise _circle(topic)
    return chain


def _circle(topic: str) -> ConfigurationError:
    return ConfigurationError(
        f"the successions of topic {topic} go in a circle: see docs/runbook.md, 'Adding partitions'"
    )


def newest_topic(successions: Iterable[Succession], topic: str) -> str:
    """Where events go: the end of the chain that a topic stands in."""
    chain = chain_of(successions, topic)
    return chain[-1].topic if chain else topic


def topic_to_meter(
    chain: Iterable[Succession], topic: str, unmetered: Callable[[Succession], int]
) -> str:
    """Which topic of a chain is metered now: the first whose end no checkpoint has reached.

    ``topic`` is it where there is no chain.
    """
    for succession in chain:
        if not succession.complete or unmetered(succession):
            return succession.predecessor_topic
        topic = succession.topic
    return topic


def group_of(group: str, chain: Iterable[Succession], topic: str) -> str:
    """The consumer group of the workers on a topic: one of its own for each that follows another.

    Kafka gives a member with a name of its own (static membership) that comes back what it had,
    whatever it subscribes to by then: that would be partitions of the predecessor.
    """
    follows = any(one.topic == topic for one in chain)
    return f"{group}.{topic}" if follows else group


def looks_like_topic(name: str) -> bool:
    """Whether Kafka would take this as the name of a topic."""
    return re.match(TOPIC_NAME, name) is not None and name not in {".", ".."}
