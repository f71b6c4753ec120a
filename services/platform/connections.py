"""Keeps an HTTP server's connections few: each address holds a share, and the idle go first.

The server (granian) accepts up to a number of connections and asks for nothing else, so whoever
holds that many open, half a header sent or kept alive, keeps everybody out. Here the sockets of the
process are looked at a few times a second; those that no request is being served on are shut down
once they have been idle for long, or while their address, or all together, hold too many: the one
that has been idle longest first, so that a newcomer gets in whatever else is open.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import resource
import socket
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from services.platform.log import get_logger

log = get_logger(__name__)

#: The other end: address and port.
Peer = tuple[str, int]
#: Above the most connections that are kept, so that a newcomer is accepted before another goes.
ROOM: Final = 1024
_LOOK_SECONDS: Final = 0.25
#: A connection that has served so many is a client's that keeps it for use.
MANY_REQUESTS: Final = 3
#: How long a connection that has asked for nothing yet counts as one that has.
_NEW_SECONDS: Final = 1.0
#: What files, the log and the database take of a process's descriptors.
_OTHER_FILES: Final = 256
_FILES_WANTED: Final = 65_536
_SPARE_FILES: Final = 16
#: Linux has it, and so have the BSDs and macOS.
_FOLDER: Final = "/dev/fd"
_IPV6_SITE_BITS: Final = 64
_LOGGED_SECONDS: Final = 60.0
#: Longest that the server waits for the rest of a head.
HEADER_READ_TIMEOUT_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may stay open, and how long without a request."""

    connections_max: int
    per_address_max: int
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class Connection:
    """An accepted socket: its descriptor, the inode that tells it from the next under that."""

    descriptor: int
    inode: int
    peer: Peer
    idle_since: float
    #: How many were served on it.
    requests: int = 0


def to_close(
    connections: Collection[Connection],
    busy: Collection[Peer],
    limits: ConnectionLimits,
    now: float,
) -> list[Connection]:
    """Choose the connections to shut down, the one that is idle longest first.

    Before any that has served requests go those that have served none, if they are not new, and
    before those that have served many, those that have served few. ``busy`` are the peers that a
    request is being served for: those stay.
    """
    idle = [
        one for one in sorted(connections, key=lambda one: _worth(one, now)) if one.peer not in busy
    ]
    of_address = Counter(address_of(one.peer) for one in connections)
    chosen: list[Connection] = []
    left: list[Connection] = []
    for one in idle:
        address = address_of(one.peer)
        past = now - one.idle_since > limits.idle_seconds
        if past or of_address[address] > limits.per_address_max:
            chosen.append(one)
            of_address[address] -= 1
        else:
            left.append(one)
    # Only now, so that what one address has too many of pushes out nobody else's.
    return chosen + left[: max(0, len(connections) - len(chosen) - limits.connections_max)]


def _worth(connection: Connection, now: float) -> tuple[int, float]:
    requests = min(connection.requests, MANY_REQUESTS)
    if not requests and now - connection.idle_since < _NEW_SECONDS:
        # It may be about to ask: an address full of idle ones must not keep it out.
        requests = MANY_REQUESTS - 1
    return requests, connection.idle_since


def address_of(peer: Peer) -> str:
    """Name who holds a connection: an IPv4 address, or the /64 of an IPv6 one."""
    host = peer[0].partition("%")[0]
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, _IPV6_SITE_BITS)))


class Gate(Protocol):
    """What accepts connections, and can leave it for a while."""

    def shut(self) -> None:
        """Accept nothing more for now."""

    def open(self) -> None:
        """Accept again."""


class Warden:
    """Watches the connections of the server on one port of this process.

    Where the server does not count what it accepts, ``gate`` is shut while few descriptors are
    left.
    """

    #: Set before `watch`.
    gate: Gate | None = None

    def __init__(
        self, port: int, limits: ConnectionLimits, clock: Callable[[], float] | None = None
    ) -> None:
        self._port = port
        self._limits = limits
        self._clock = clock
        self._busy: Counter[Peer] = Counter()
        #: When a request on it ended last, and how many there were.
        self._used: dict[Peer, tuple[float, int]] = {}
        self._known: dict[tuple[int, int], Connection | None] = {}
        self._logged = -_LOGGED_SECONDS
        self._spare: list[int] = []

    def attend(self, app: Any) -> Any:
        """Wrap an ASGI application so that its requests are noticed."""

        async def attended(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
            client = scope.get("client")
            if client is None:
                await app(scope, receive, send)
                return
            peer = (client[0], int(client[1]))  # The server gives the port as text.
            self._busy[peer] += 1
            try:
                await app(scope, receive, send)
            finally:
                self._busy[peer] -= 1
                if not self._busy[peer]:
                    del self._busy[peer]
                _, requests = self._used.get(peer, (0.0, 0))
                self._used[peer] = (self._now(), requests + 1)

        return attended

    async def watch(self) -> None:
        """Look and shut down, until cancelled."""
        if not os.path.isdir(_FOLDER):
            log.warning("connections are not limited by address: there is no /dev/fd")
            return
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.gate is not None:
                self._guard(self.gate, await asyncio.to_thread(_descriptors_left))
            try:
                found = await asyncio.to_thread(self._find, self._now())
            except OSError as error:
                log.warning("connections cannot be looked at", reason=str(error))
            else:
                self._close(found)

    def _guard(self, gate: Gate, left: int) -> None:
        """Shut the gate before the last descriptors are gone, or now that they are.

        Some are kept for then, or there would be none to look at the connections with.
        """
        reserve = min(_OTHER_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        if left < reserve:
            gate.shut()
            while self._spare:
                os.close(self._spare.pop())
        elif left > reserve + reserve // 2:
            with suppress(OSError):
                while len(self._spare) < _SPARE_FILES:
                    self._spare.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            gate.open()

    def look(self) -> int:
        """Look once, and return how many connections were shut down."""
        return self._close(self._find(self._now()))

    def _now(self) -> float:
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()

    def _find(self, now: float) -> list[Connection]:
        known: dict[tuple[int, int], Connection | None] = {}
        for name in os.listdir(_FOLDER):
            descriptor = int(name)
            try:
                found = os.fstat(descriptor)
            except OSError:
                continue  # It was the listing's own, or is closed since.
            if not stat.S_ISSOCK(found.st_mode):
                continue
            place = (descriptor, found.st_ino)
            known[place] = (
                self._known[place] if place in self._known else self._accepted(*place, now)
            )
        self._known = known
        return [one for one in known.values() if one is not None]

    def _accepted(self, descriptor: int, inode: int, now: float) -> Connection | None:
        """Tell who is at the other end; None for a socket that is none of the server's."""
        twin = _twin(descriptor, inode)
        if twin is None:
            return None
        with twin:
            try:
                if twin.family not in (socket.AF_INET, socket.AF_INET6):
                    return None
                if twin.getsockname()[1] != self._port:
                    return None
                host, port, *_ = twin.getpeername()
            except OSError:
                return None  # It listens, or the other end is gone.
        return Connection(descriptor, inode, (host, port), now)

    def _close(self, found: Iterable[Connection]) -> int:
        used = self._used
        connections = [
            one
            if (use := used.get(one.peer)) is None
            else replace(one, idle_since=max(use[0], one.idle_since), requests=use[1])
            for one in found
        ]
        now = self._now()
        open_now = {one.peer for one in connections}
        self._used = {
            peer: use for peer, use in used.items() if peer in open_now or use[0] > now - 1
        }
        chosen = to_close(connections, self._busy.keys(), self._limits, now)
        for one in chosen:
            twin = _twin(one.descriptor, one.inode)
            if twin is not None:
                with twin:
                    _shut_down(twin)
        if chosen and now >= self._logged + _LOGGED_SECONDS:
            self._logged = now
            log.warning(
                "idle connections are closed", closed=len(chosen), still_open=len(connections)
            )
        return len(chosen)


def _descriptors_left() -> int:
    """Count the descriptors that this process may still open; none if not even one to look with."""
    try:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(os.listdir(_FOLDER))
    except OSError:
        return 0


def _twin(descriptor: int, inode: int) -> socket.socket | None:
    """Open a socket once more: the server may close its own, and the number be another's."""
    try:
        twin = os.dup(descriptor)
    except OSError:
        return None
    if os.fstat(twin).st_ino != inode:
        os.close(twin)
        return None
    return socket.socket(fileno=twin)


def _shut_down(twin: socket.socket) -> None:
    try:
        twin.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The other end was quicker.


def connections_possible(connections_max: int) -> int:
    """Let the process open as many files as it may; return how many connections that is enough for.

    No more than ``connections_max`` and `ROOM`; a descriptor that cannot be had ends an accept.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _FILES_WANTED if soft == resource.RLIM_INFINITY else soft
    return max(2, min(connections_max + ROOM, files - _OTHER_FILES))
