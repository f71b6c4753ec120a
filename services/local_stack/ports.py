"""TCP ports on loopback: the usual one where it is free, else another."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

#: Below the range the kernel hands to outgoing connections (32768 up on Linux), so no client can
#: take a child's port between the child's end and its restart.
SPARE_PORTS = range(20_000, 32_000)

_handed_out: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        # Ports in TIME_WAIT count as free, as they do for servers; a listening one never does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def pick_port(preferred: int | None = None) -> int:
    """Return ``preferred`` if it is free, else another free port.

    No port is handed out twice by one process, so two children that are not yet listening cannot
    get the same one.
    """
    if preferred is not None and preferred not in _handed_out and is_free(preferred):
        _handed_out.add(preferred)
        return preferred
    while True:
        port = random.choice(SPARE_PORTS)
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port


def give_back(*ports: int) -> None:
    """Let ports be handed out again, once their child is gone for good."""
    _handed_out.difference_update(ports)
