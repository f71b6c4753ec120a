"""The meter a gateway holds: recording never blocks, never raises and never loses silently."""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, Unpack

from wattoken.client.counts import Counts
from wattoken.client.delivery import BatchLimits, Delivery
from wattoken.client.errors import ConfigurationError, InvalidEventError
from wattoken.client.events import UsageFields, encode
from wattoken.client.ids import new_id
from wattoken.client.inbox import Inbox
from wattoken.client.outbox import Outbox
from wattoken.client.pace import Pace
from wattoken.client.spool import Spool
from wattoken.client.transport import Transport

#: What one request may hold; ingest takes 8 MiB by default.
_BATCH_BYTES: Final = 2 * 1024 * 1024
#: How often the same kind of loss is logged.
_SAID_AGAIN_SECONDS: Final = 60.0

log = logging.getLogger("wattoken.client")
_meters: weakref.WeakSet[Meter] = weakref.WeakSet()
#: What forks copied. Kept, for taking it apart could wait for a lock that nobody holds here.
_inherited: list[_Engine] = []


class Meter:
    """Reports usage to one ingest, in the background; one per process, shared by all threads.

    ``url`` and ``api_key`` are those of ingest; ``source`` names this gateway and ``provider`` and
    ``region`` fill events that name none. Over https, ``ca_file`` (PEM) names the authorities that
    are trusted, instead of those that this machine trusts. A batch goes when it has
    ``batch_events`` or is ``batch_age_seconds`` old. At most ``queue_events`` and ``queue_bytes``
    wait in memory; what comes on top is dropped and counted. With ``spool_folder`` each batch is on
    disk before it is sent, at most ``spool_bytes`` in all: a crash then costs what is younger than
    a batch's age, and the next meter on the same folder sends the rest. After a failure it waits
    ``retry_seconds``, doubling up to ``retry_seconds_max``, or as long as ingest says. At exit the
    meter has ``exit_seconds`` to send what it holds.

    Raises `ConfigurationError` when it cannot work like that. Nothing it does later raises.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        source: str = "wattoken-client",
        provider: str | None = None,
        region: str | None = None,
        ca_file: str | Path | None = None,
        spool_folder: str | Path | None = None,
        spool_bytes: int = 256 * 1024 * 1024,
        queue_events: int = 10_000,
        queue_bytes: int = 16 * 1024 * 1024,
        batch_events: int = 500,
        batch_age_seconds: float = 1.0,
        timeout_seconds: float = 10.0,
        retry_seconds: float = 0.5,
        retry_seconds_max: float = 30.0,
        exit_seconds: float = 5.0,
    ) -> None:
        if min(queue_events, queue_bytes, batch_events, spool_bytes) < 1:
            raise ConfigurationError("sizes of queue, batch and spool must be at least 1")
        defaults = {"source": source, "provider": provider, "region": region}
        self._defaults = {name: value for name, value in defaults.items() if value is not None}
        self._exit_seconds = exit_seconds
        self._lock = threading.RLock()
        self._closed = False
        self._said_at: dict[str, float] = {}
        limits = BatchLimits(batch_events, _BATCH_BYTES, batch_age_seconds)

        def make_engine(*, with_spool: bool = True) -> _Engine:
            spool = None
            if spool_folder is not None and with_spool:
                spool = Spool(Path(spool_folder), spool_bytes)
            inbox = Inbox(queue_events, queue_bytes)
            transport = Transport(url, api_key, timeout_seconds, ca_file)
            pace = Pace(retry_seconds, retry_seconds_max, random.Random().random)
            outbox = Outbox(spool, self._say_disk)
            delivery = Delivery(inbox, outbox, transport, limits, pace)
            return _Engine(inbox, outbox, delivery, spool)

        self._make_engine = make_engine
        # Made at once, so that what is wrong is found now; its threads start when there is work.
        self._engine = make_engine()
        _meters.add(self)
        # This keeps a meter that nobody holds: what it recorded would be lost with it.
        atexit.register(self.close)
        if self._engine.has_leftovers():
            self._engine.start()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a meter of ``WATTOKEN_URL`` and ``WATTOKEN_API_KEY``.

        ``WATTOKEN_SOURCE``, ``WATTOKEN_PROVIDER``, ``WATTOKEN_REGION``, ``WATTOKEN_CA_FILE`` and
        ``WATTOKEN_SPOOL_FOLDER`` count where they are set; ``options`` are those of the class and
        win. Raises `ConfigurationError` where address or key is missing.
        """
        names = ("url", "api_key", "source", "provider", "region", "ca_file", "spool_folder")
        for name in names:
            value = os.environ.get(f"WATTOKEN_{name.upper()}")
            if value:
                options.setdefault(name, value)
        for name in ("url", "api_key"):
            if name not in options:
                raise ConfigurationError(f"set WATTOKEN_{name.upper()}, or give {name}")
        return cls(**options)

    def record(self, **fields: Unpack[UsageFields]) -> str:
        """Record the usage of one request and return the event's id; see `UsageFields`.

        Takes microseconds and does no input or output. Without ``id`` the event gets a new one,
        without ``time`` the present. Whatever goes wrong is counted and logged, not raised.
        """
        event_id = ""
        with suppress(Exception):  # the caller's request is worth more than its reading
            self._engine.tally.add("recorded")
            try:
                event_id = str(fields.get("id") or new_id())
                self._record(event_id, dict(fields))
            except Exception:
                self._lose("dropped_invalid", "recording failed", exc_info=True)
        return event_id

    def _record(self, event_id: str, fields: dict[str, Any]) -> None:
        engine = self._engine
        fields["id"] = event_id
        if fields.get("time") is None:
            fields["time"] = datetime.now(UTC)
        try:
            line = encode(fields, self._defaults)
        except InvalidEventError as error:
            self._lose("dropped_invalid", str(error))
            return
        if self._closed:
            self._lose("dropped_at_exit", "the meter is closed")
        elif not engine.inbox.put(line):
            self._lose("dropped_queue_full", "the queue is full")
        else:
            engine.start()

    @property
    def counts(self) -> Counts:
        """What became of the events so far, in this process."""
        return self._engine.tally.counts()

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Send what waits now, and wait until all is settled; say whether it was in time."""
        return self._engine.flush(timeout_seconds)

    def close(self, timeout_seconds: float | None = None) -> Counts:
        """Send what waits, for so long at most, and stop; what is left stays in the spool.

        Without a spool it is dropped and counted. Called at exit by itself; may be called twice.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                atexit.unregister(self.close)
                lost = self._engine.finish(
                    self._exit_seconds if timeout_seconds is None else timeout_seconds
                )
                if lost:
                    self._engine.tally.add("dropped_at_exit", lost)
                    log.error("dropped events=%d that could not be sent before the exit", lost)
        return self.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lose(self, name: str, why: str, *, exc_info: bool = False) -> None:
        self._engine.tally.add(name)
        if self._may_say(name):
            log.error("dropped an event: reason=%s", why, exc_info=exc_info)

    def _say_disk(self, why: str) -> None:
        if self._may_say("disk"):
            log.warning("a batch stays in memory: reason=%s", why)

    def _may_say(self, what: str) -> bool:
        now = time.monotonic()
        if now - self._said_at.get(what, float("-inf")) < _SAID_AGAIN_SECONDS:
            return False
        self._said_at[what] = now
        return True

    def _after_fork(self) -> None:
        """Begin again in the child: what waits is the parent's, and its threads are not here."""
        _inherited.append(self._engine)
        self._engine.abandon()
        self._lock = threading.RLock()
        try:
            self._engine = self._make_engine()
        except ConfigurationError as error:
            self._engine = self._make_engine(with_spool=False)
            self._say_disk(str(error))


class _Engine:
    """All that a fork must not share."""

    def __init__(
        self, inbox: Inbox, outbox: Outbox, delivery: Delivery, spool: Spool | None
    ) -> None:
        self.inbox = inbox
        self.tally = delivery.tally
        self._outbox = outbox
        self._spool = spool
        self._lock = threading.RLock()
        self._delivery = delivery
        self._started = False

    def has_leftovers(self) -> bool:
        return self._spool is not None and bool(self._spool.leftovers())

    def start(self) -> None:
        if self._started:
            return
        with self._lock:
            if self._started:
                return
            self._started = True
            try:
                self._delivery.start()
            except RuntimeError:  # no more threads to be had; the next event tries again
                self._started = False

    def flush(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        self._delivery.hurry()
        if self._started and not self._delivery.adopted.wait(timeout_seconds):
            return False
        return self.tally.wait_until_settled(deadline - time.monotonic())

    def finish(self, timeout_seconds: float) -> int:
        """Send what waits or put it on disk, and stop; return how many events are lost."""
        if not self._started:
            return self._outbox.close(self.inbox.drain(), timeout_seconds)
        deadline = time.monotonic() + timeout_seconds
        while not self.flush(0.25) and time.monotonic() < deadline:
            # What is on disk need not wait for an ingest that does not answer.
            if self._spool is not None and self._delivery.down:
                break
        left_seconds = max(0.2, deadline - time.monotonic())
        self._delivery.stop(left_seconds)
        rest = [*self._delivery.unplaced, *self.inbox.drain()]
        return self._outbox.close(rest, left_seconds)

    def abandon(self) -> None:
        self._outbox.abandon()


def _after_fork() -> None:
    for meter in list(_meters):
        meter._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
