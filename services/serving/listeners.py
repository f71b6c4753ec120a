"""Sockets that listen on one address, of which the newest takes all new connections.

A certificate cannot be changed under a running server (granian), so there is one server after
another on the same port. Linux spreads new connections over the sockets that share a port; here it
is told to give all of them to the newest. One before it then has an empty queue by the time it is
closed, and closing resets nothing.
"""

from __future__ import annotations

import socket
import sys
from typing import Final

from services.platform.log import get_logger
from services.serving.bpf import program

log = get_logger(__name__)

#: Most connections that wait to be accepted.
CONNECTIONS_QUEUED_MAX: Final = 1024
#: Linux, asm-generic/socket.h; Python has no name for it.
_SO_ATTACH_REUSEPORT_CBPF: Final = 51


class Listeners:
    """Listening sockets on one address, in the order in which the system counts them."""

    def __init__(self, host: str, port: int) -> None:
        self._place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._sockets: list[socket.socket] = []
        self._newest: socket.socket | None = None

    def add(self) -> socket.socket:
        """Listen once more; new connections may go to any of the sockets until `steer`."""
        family, kind, protocol, _, address = self._place
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.bind(address)
            one.listen(CONNECTIONS_QUEUED_MAX)
        except OSError:
            one.close()
            raise
        self._sockets.append(one)
        return one

    def steer(self, to: socket.socket) -> None:
        """Send all new connections to one socket, from now on and when others are closed."""
        self._newest = to
        if len(self._sockets) == 1:
            return
        place = self._sockets.index(to)
        try:
            if sys.platform != "linux":
                raise OSError("only Linux does that")
            to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program(place))
        except OSError as error:
            # Both certificates count until the old server ends, and some connections may be reset
            # then: no reason to stop.
            log.warning("new connections are not steered to the new server", reason=str(error))

    def close(self, one: socket.socket) -> None:
        """Close a socket; the server on it must have closed its own descriptor before.

        The last takes the place of the one that goes (Linux, net/core/sock_reuseport.c).
        """
        place = self._sockets.index(one)
        one.close()
        last = self._sockets.pop()
        if last is not one:
            self._sockets[place] = last
        if self._newest is not None and self._newest is not one:
            self.steer(self._newest)
