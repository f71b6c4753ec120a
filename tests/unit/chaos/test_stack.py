"""The broker's configuration for links, and disks that can be filled."""

from __future__ import annotations

from pathlib import Path

from services.local_stack.kafka import server_properties
from tests.chaos.stack import with_listeners


def test_each_client_has_a_listener_that_advertises_its_link() -> None:
    text = with_listeners(
        server_properties(Path("/data"), 1000, 1001),
        {"worker-1": 2001, "ingest-1": 2002},
        {"worker-1": 3001, "ingest-1": 3002},
    )
    lines = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines["listeners"] == (
        "PLAINTEXT://127.0.0.1:1000,CONTROLLER://127.0.0.1:1001,"
        "WORKER1://127.0.0.1:2001,INGEST1://127.0.0.1:2002"
    )
    assert lines["advertised.listeners"] == (
        "PLAINTEXT://127.0.0.1:1000,WORKER1://127.0.0.1:3001,INGEST1://127.0.0.1:3002"
    )
    assert lines["listener.security.protocol.map"] == (
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,WORKER1:PLAINTEXT,INGEST1:PLAINTEXT"
    )
