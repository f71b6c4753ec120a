"""Who is closed: the one that is idle longest of an address that holds too many, and no other."""

from __future__ import annotations

import os
import socket

import pytest

from services.platform.connections import (
    Connection,
    ConnectionLimits,
    Warden,
    address_of,
    to_close,
)

LIMITS = ConnectionLimits(connections_max=10, per_address_max=3, idle_seconds=60)


def of(host: str, *idle_since: float) -> list[Connection]:
    return [Connection(at, at, (host, at), since) for at, since in enumerate(idle_since, 1)]


def closed(connections: list[Connection], busy: set[tuple[str, int]], now: float) -> list[float]:
    return [one.idle_since for one in to_close(connections, busy, LIMITS, now)]


def test_an_address_keeps_its_share_and_the_newest_of_it() -> None:
    assert closed(of("a", 5, 3, 4, 6, 2) + of("b", 1), set(), 10) == [2, 3]


def test_a_new_one_is_not_shut_before_it_could_ask_for_the_idle_ones_of_its_address() -> None:
    limits = ConnectionLimits(100, 2, 60)
    idle = [Connection(n, n, ("10.0.0.1", n), 90.0, requests=1) for n in range(5)]
    kept = Connection(7, 7, ("10.0.0.1", 7), 50.0, requests=9)
    new = Connection(8, 8, ("10.0.0.1", 8), 99.8)
    shut = to_close([new, kept, *idle], (), limits, 100.0)
    assert shut == idle
    assert new in to_close([new, kept, *idle], (), limits, 102.0), "it was new once"


def test_what_one_address_has_too_many_of_pushes_out_nobody_elses() -> None:
    limits = ConnectionLimits(10, 3, 60)
    flood = [Connection(n, n, ("10.6.6.6", n), 99.9) for n in range(20)]
    others = [Connection(50, 50, ("10.0.0.1", 1), 98.0, requests=1)]
    assert to_close(flood + others, (), limits, 100.0) == flood[:17]


def test_what_is_served_stays_however_long_it_takes() -> None:
    assert closed(of("a", 1, 2, 3, 4, 5), {("a", 1)}, 10) == [2, 3]
    assert closed(of("a", 1), {("a", 1)}, 1000) == []


def test_all_together_are_bounded() -> None:
    crowd = [one for host in "abcdef" for one in of(host, 5, 6)]
    assert closed(crowd, set(), 10) == [5, 5]


def test_who_is_idle_for_long_is_closed() -> None:
    assert closed(of("a", 1, 39, 41), set(), 100) == [1, 39]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_site_is_one_address(host: str, address: str) -> None:
    assert address_of((host, 1)) == address


def test_it_shuts_down_sockets_of_its_port_and_no_others() -> None:
    now = [0.0]
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        warden = Warden(server.getsockname()[1], LIMITS, lambda: now[0])
        pairs = []
        for listener in (server, server, other):
            client = socket.create_connection(listener.getsockname()[:2])
            pairs.append((client, listener.accept()[0]))
        try:
            assert warden.look() == 0
            now[0] = 61
            assert warden.look() == 2
            for client, _ in pairs:
                client.settimeout(0.2)
            assert [client.recv(1) for client, _ in pairs[:2]] == [b"", b""]
            with pytest.raises(TimeoutError):
                pairs[2][0].recv(1)
        finally:
            for client, accepted in pairs:
                client.close()
                accepted.close()


def test_a_descriptor_that_is_anothers_by_now_is_left_alone() -> None:
    now = [0.0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        warden = Warden(server.getsockname()[1], LIMITS, lambda: now[0])
        client = socket.create_connection(server.getsockname()[:2])
        accepted = server.accept()[0]
        found = warden._find(0.0)
        assert [one.descriptor for one in found] == [accepted.fileno()]
        number = accepted.fileno()
        accepted.close()
        one, two = socket.socketpair()
        assert number in (one.fileno(), two.fileno())
        now[0] = 61
        warden._close(found)
        one.sendall(b"x")
        assert two.recv(1) == b"x"
        for each in (client, one, two):
            each.close()


class _Noted:
    """A gate that says what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def shut(self) -> None:
        self.done.append("shut")

    def open(self) -> None:
        self.done.append("open")


def test_the_gate_is_shut_while_few_descriptors_are_left() -> None:
    gate, warden = _Noted(), Warden(1, ConnectionLimits(1, 1, 1))

    def guard(left: int) -> int:
        before = len(os.listdir("/dev/fd"))
        warden._guard(gate, left)
        return len(os.listdir("/dev/fd")) - before

    # Some are put by, and given back when they are needed to look with.
    assert guard(5_000) > 0
    assert guard(5_000) == 0
    assert guard(3) < 0
    assert guard(0) == 0
    # Somewhat above where it is shut, it stays as it is.
    assert guard(300) == 0
    assert guard(5_000) > 0
    guard(0)
    assert gate.done == ["open", "open", "shut", "shut", "open", "shut"]
