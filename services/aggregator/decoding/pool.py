"""Decoder processes: what a fetch brings is decoded on another core, ahead of the agent."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from io import BufferedIOBase
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, Final, TypeVar, cast

import numpy as np

from services.aggregator.arrays.key_index import Ints
from services.aggregator.decoding.columns import Decoded, joined
from services.aggregator.decoding.labels import Labels
from services.aggregator.decoding.messages import Reply, columns, read_reply, request
from services.aggregator.decoding.record_batch import RecordBatch
from services.aggregator.errors import DecoderDiedError

T = TypeVar("T")

#: So many that an array operation is worth its call, so few that what a request becomes stays in a
#: core's cache and all decoders have a part of a fetch. Measured: with 3,000 a worker metered a
#: tenth less; with 42,000 a decoder by itself took a quarter longer.
REQUEST_RECORDS: Final = 10_000
PIPE_BYTES: Final = 1 << 20
#: How long a decoder may take to end once its pipe is closed.
END_SECONDS: Final = 5.0


class Decoders:
    """Some decoder processes, each batch handed to the one with the fewest batches to do.

    Not thread-safe: for one event loop. With none, nothing is decoded ahead.
    """

    def __init__(self, processes: int, labels: Labels) -> None:
        self._processes = processes
        self._labels = labels
        self.running: list[DecoderProcess] = []

    def start(self) -> None:
        """Start the processes."""
        self.running = [DecoderProcess(self._labels) for _ in range(self._processes)]

    def submit(self, batches: Sequence[RecordBatch]) -> Awaitable[Decoded] | None:
        """Have the values in some batches decoded; None where nobody does that ahead.

        Awaited, it raises `DecoderDiedError` when a process ends.
        """
        if not self.running or not batches:
            return None
        return Ahead([min(self.running, key=len).submit(some) for some in requests(batches)])

    def close(self) -> None:
        """End the processes."""
        for process in self.running:
            process.close()
        self.running = []


def requests(batches: Sequence[RecordBatch]) -> Iterator[list[RecordBatch]]:
    """Put batches together to requests of about `REQUEST_RECORDS`; no batch is cut."""
    some: list[RecordBatch] = []
    records = 0
    for batch in batches:
        some.append(batch)
        records += batch.count
        if records >= REQUEST_RECORDS:
            yield some
            some, records = [], 0
    if some:
        yield some


class Ahead:
    """A batch being decoded in parts; dropped without being awaited, nothing is left behind."""

    def __init__(self, parts: Sequence[asyncio.Future[Decoded]]) -> None:
        self._parts = parts

    def __await__(self) -> Generator[Any, None, Decoded]:
        found = []
        for part in self._parts:
            found.append((yield from part))
        return joined(found)


class DecoderProcess:
    """One decoder process, with a thread that writes to it and one that reads from it.

    Two threads, because either pipe may be full while the other end waits for the other pipe.
    """

    def __init__(self, labels: Labels) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.aggregator.decoding.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            widen(cast(IO[bytes], pipe))
        self._labels = Translation(labels)
        self._to_write: SimpleQueue[Sequence[RecordBatch] | None] = SimpleQueue()
        self._pending: deque[asyncio.Future[Decoded]] = deque()
        self._ended = False
        for work in (self._write, self._read):
            Thread(target=work, name=f"decoder-{work.__name__.strip('_')}", daemon=True).start()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    def submit(self, batches: Sequence[RecordBatch]) -> asyncio.Future[Decoded]:
        """Have the values in batches decoded; replies come in the order of submission."""
        future: asyncio.Future[Decoded] = asyncio.get_running_loop().create_future()
        self._pending.append(future)
        self._to_write.put(batches)
        if self._ended:
            self._fail_pending()
        return future

    def close(self) -> None:
        """End the process and its threads."""
        self._to_write.put(None)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self) -> None:
        pipe = cast(IO[bytes], self._process.stdin)
        # A pipe that breaks is noticed by the reading thread too, which says so.
        with contextlib.suppress(OSError), pipe:
            while (batches := self._to_write.get()) is not None:
                for part in request(batches):
                    pipe.write(part)
                pipe.flush()

    def _read(self) -> None:
        pipe = cast(BufferedIOBase, self._process.stdout)
        with contextlib.suppress(OSError), pipe:
            while (answer := read_reply(pipe)) is not None:
                future = self._pending[0]
                try:
                    outcome: Decoded | Exception = self._labels.translated(answer)
                except Exception as error:
                    outcome = error
                self._pending.popleft()
                _resolve(future, outcome)
        self._ended = True
        self._fail_pending()

    def _fail_pending(self) -> None:
        while True:
            try:
                future = self._pending.popleft()
            except IndexError:
                return
            ending = self._process.wait()
            _resolve(future, DecoderDiedError(f"a decoder process ended with {ending}: see stderr"))


def widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a whole batch, so that neither end has to wake the other for each part."""
    with contextlib.suppress(OSError, AttributeError):  # Linux has it, and a limit of its own
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class Translation:
    """Our numbers of tenants and series for those of one decoder process."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._tenants: Ints = np.zeros(0, np.int64)
        self._series: Ints = np.zeros(0, np.int64)

    def translated(self, reply: Reply) -> Decoded:
        """Make columns of a reply, in our numbers."""
        number = self._labels.tenants.number
        self._tenants = _more(self._tenants, reply.new_tenants, number)
        self._series = _more(
            self._series,
            reply.new_series,
            self._labels.series.number,
        )
        return columns(reply, self._tenants, self._series)


def _more(known: Ints, new: Sequence[T], number: Callable[[T], int]) -> Ints:
    return np.append(known, [number(thing) for thing in new]) if new else known


def _resolve(future: asyncio.Future[Decoded], outcome: Decoded | Exception) -> None:
    def resolve() -> None:
        if future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
            # Nobody may ask any more: its batch may have been dropped by a rebalance.
            future.exception()
        else:
            future.set_result(outcome)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        future.get_loop().call_soon_threadsafe(resolve)
