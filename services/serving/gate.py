"""A server that accepts nothing for a while, so that it gets out of a want of descriptors.

Over TLS granian accepts connections without a limit until their handshake is done, and once the
process has no descriptor left it does nothing but try the next accept: no handshake ends, and none
times out, forever. So its listening descriptor is put aside meanwhile: another socket, to which
nobody can connect, takes its number (dup2 needs no descriptor). Then there is nothing to accept,
and handshakes end.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from typing import Final

from services.platform.log import get_logger
from services.serving.bpf import program

log = get_logger(__name__)

#: Linux, asm-generic/socket.h; Python has no name for it.
_SO_ATTACH_FILTER: Final = 26
_DROP: Final = 0


class Gate:
    """Shuts and opens the descriptor on which a server accepts.

    ``descriptor`` is the server's own, ``listener`` another of the same socket. Only on Linux,
    whose epoll knows a descriptor by its number and its socket; elsewhere it stays open. The server
    must not end while it is shut: `retire` it first. Raises `OSError` where it cannot be made.
    """

    def __init__(self, descriptor: int, listener: socket.socket) -> None:
        self._descriptor = descriptor
        self._listener = listener
        self._deaf: socket.socket | None = None
        self._shut = False
        if sys.platform == "linux":
            self._deaf = _deaf_socket()

    def shut(self) -> None:
        """Let nothing in; who connects waits."""
        if self._deaf is None or self._shut:
            return
        os.dup2(self._deaf.fileno(), self._descriptor, inheritable=False)
        self._shut = True
        log.warning("no connections are accepted: too few descriptors are left")

    def open(self) -> None:
        """Let those in who wait, and whoever comes."""
        if not self._shut:
            return
        os.dup2(self._listener.fileno(), self._descriptor, inheritable=False)
        self._shut = False
        log.info("connections are accepted again")
        # The server is told of connections that come, not of those that are there.
        with (
            suppress(OSError),
            socket.socket(self._listener.family, socket.SOCK_STREAM) as knock,
        ):
            knock.setblocking(False)
            knock.connect_ex(self._listener.getsockname())

    def retire(self) -> None:
        """Open, for good: the server is about to close its descriptor."""
        self.open()
        self.forget()

    def forget(self) -> None:
        """Leave the descriptor alone: the server has ended, and the number may be another's."""
        self._shut = False
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None


def _deaf_socket() -> socket.socket:
    """Listen where every packet is dropped."""
    deaf = socket.socket()
    try:
        deaf.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program(_DROP))
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        deaf.setblocking(False)
    except OSError:
        deaf.close()
        raise
    return deaf
