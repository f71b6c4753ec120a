"""Sends straight onto the topic: idempotent producers of every codec, and transactions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tests.chaos.events import Nature, log_key, log_record
from tests.chaos.ledger import ABORTED, ACKNOWLEDGED, UNKNOWN, EventName
from tests.chaos.senders import Sender

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
#: After so long without an acknowledgement a send is given up and made again.
DELIVERY_SECONDS: Final = 12.0
#: After these Kafka aborts a transaction that nobody ends: usual ones, and those held open.
TRANSACTION_SECONDS_MAX: Final = 8.0
HELD_SECONDS_MAX: Final = 60.0
OPERATION_SECONDS_MAX: Final = 20.0
ABORT_RATIO: Final = 0.3
#: Some aborted events are sent again: an aborted sighting must not make the real one a duplicate.
AFTER_ABORT_RATIO: Final = 0.5


def producer(bootstrap_servers: str, codec: str, **more: Any) -> Producer:
    """An idempotent producer that chooses partitions as Kafka's Java client does."""
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "compression.type": codec,
            "linger.ms": 20,
            "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
            "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
            **more,
        }
    )


class TopicSender(Sender):
    """Produces onto the topic, each batch with a codec drawn again."""

    def __init__(self, *of_all: Any, bootstrap_servers: str, topic: Callable[[], str]) -> None:
        super().__init__(*of_all)
        self._servers = bootstrap_servers
        self._topic = topic
        self._producers = {codec: producer(bootstrap_servers, codec) for codec in CODECS}
        self._waiting: set[tuple[EventName, int]] = set()
        self._sends = 0

    def in_flight(self) -> bool:
        """Whether delivery reports are still to come."""
        return bool(self._waiting)

    def close(self) -> None:
        """Give up what was not reported."""
        for each in self._producers.values():
            each.flush(1.0)
        for name, _ in self._waiting:
            self.ledger.note(name, UNKNOWN)

    def send(self, names: list[EventName]) -> None:
        """Produce them and serve reports."""
        codec = self.draw.choice(CODECS)
        for name in names:
            self._produce(codec, name)
        for each in self._producers.values():
            each.poll(0)

    def _produce(self, codec: str, name: EventName) -> None:
        event = self.event(name)
        self._sends += 1
        send = (name, self._sends)

        def reported(error: KafkaError | None, _message: Message) -> None:
            self._waiting.discard(send)
            self._reported(codec, name, error)

        # A gateway that writes poison may leave the key out too.
        key = None if event.nature is Nature.POISON and event.style % 2 else log_key(event)
        value = log_record(event, self.ledger.time_ms(name))
        self._waiting.add(send)
        try:
            self._producers[codec].produce(self._topic(), value, key, on_delivery=reported)
        except (BufferError, KafkaException):
            self._waiting.discard(send)
            self.submit(name)

    def _reported(self, codec: str, name: EventName, error: KafkaError | None) -> None:
        if error is None:
            self.note(name, ACKNOWLEDGED)
            return
        self.note(name, UNKNOWN)
        self.submit(name)
        if error.fatal():
            self._producers[codec] = producer(self._servers, codec)


@dataclass(slots=True)
class Hold:
    """A wish to leave a transaction open until it is let go, and how it is to end then."""

    commit: bool
    begun: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


class TransactionSender(Sender):
    """Produces in transactions: most are committed, some aborted, and some left open a while."""

    def __init__(self, *of_all: Any, bootstrap_servers: str, topic: Callable[[], str]) -> None:
        super().__init__(*of_all)
        self._servers = bootstrap_servers
        self._topic = topic
        #: One for usual transactions, one for those that are held open, made when needed.
        self._made: dict[bool, Producer] = {}
        self._hold: Hold | None = None
        self._open: list[EventName] = []
        self.committed = 0
        self.aborted = 0

    def hold(self, *, commit: bool) -> Hold:
        """Have the next transaction stay open; see `Hold`."""
        self._hold = Hold(commit)
        return self._hold

    def in_flight(self) -> bool:
        """It waits for the end of each transaction."""
        return False

    def close(self) -> None:
        """Abort what is open."""
        for name in self._open:
            self.ledger.note(name, UNKNOWN)

    def send(self, names: list[EventName]) -> None:
        """Send them in a transaction of their own, and end it one way or the other."""
        hold, self._hold = self._hold, None
        if not names:
            self._hold = hold
            return
        commit = self._stopping.is_set() or self.draw.random() >= ABORT_RATIO
        if hold is not None:
            commit = hold.commit
        self._open = names
        try:
            ended = self._transact(names, hold, commit=commit)
        except (KafkaException, BufferError) as error:
            self.told(f"transaction: {error}")
            ended = self._rescue(error, held=hold is not None)
        finally:
            if hold is not None:
                hold.begun.set()
        self._open = []
        self._note_end(names, ended)

    def _note_end(self, names: list[EventName], fate: int) -> None:
        self.committed += fate == ACKNOWLEDGED
        self.aborted += fate == ABORTED
        for name in names:
            self.note(name, fate)
            # What a gateway aborted it gives up, or sends again.
            if fate == UNKNOWN or (fate == ABORTED and self.draw.random() < AFTER_ABORT_RATIO):
                self.submit(name)

    def _transact(self, names: list[EventName], hold: Hold | None, *, commit: bool) -> int:
        live = self._ready(held=hold is not None)
        live.begin_transaction()
        for name in names:
            event = self.event(name)
            value = log_record(event, self.ledger.time_ms(name))
            live.produce(self._topic(), value, log_key(event))
        # What is to be aborted lies on the log, too.
        live.flush(OPERATION_SECONDS_MAX)
        if hold is not None:
            hold.begun.set()
            hold.let_go.wait(HELD_SECONDS_MAX / 2)
        if not commit:
            live.abort_transaction(OPERATION_SECONDS_MAX)
            return ABORTED
        live.commit_transaction(OPERATION_SECONDS_MAX)
        return ACKNOWLEDGED

    def _ready(self, *, held: bool) -> Producer:
        if held not in self._made:
            seconds = HELD_SECONDS_MAX if held else TRANSACTION_SECONDS_MAX
            made = producer(
                self._servers,
                self.draw.choice(CODECS),
                **{
                    "transactional.id": f"chaos-{self.number}-{'held' if held else 'usual'}",
                    "transaction.timeout.ms": int(seconds * 1000),
                    "message.timeout.ms": int(TRANSACTION_SECONDS_MAX * 1000),
                },
            )
            made.init_transactions(OPERATION_SECONDS_MAX)
            self._made[held] = made
        return self._made[held]

    def _rescue(self, error: Exception, *, held: bool) -> int:
        """After an error: abort where Kafka says that this is the way, else start again.

        Only what was certainly aborted is noted as such.
        """
        reason = error.args[0] if isinstance(error, KafkaException) else None
        live = self._made.pop(held, None)
        if live is None:  # it never began
            time.sleep(0.5)
            return ABORTED
        if reason is not None and reason.txn_requires_abort():
            try:
                live.abort_transaction(OPERATION_SECONDS_MAX)
            except KafkaException:
                return UNKNOWN
            self._made[held] = live
            return ABORTED
        return UNKNOWN
