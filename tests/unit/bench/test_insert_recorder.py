from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from clickhouse_connect.driver.compression import get_compressor

from bench.insert_recorder import InsertRecorder, is_insert
from services.local_stack.ports import LOOPBACK, pick_port


class Database(BaseHTTPRequestHandler):
    """Answers what it was asked; refuses what says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = self.path.encode() + b" " + body
        self.send_response(500 if b"refuse" in body else 200)
        self.send_header("X-ClickHouse-Summary", "kept")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[tuple[InsertRecorder, http.client.HTTPConnection]]:
    database = HTTPServer((LOOPBACK, 0), Database)
    thread = threading.Thread(target=database.serve_forever, daemon=True)
    thread.start()
    port = pick_port()
    with InsertRecorder(port, database.server_address[1]) as recorder:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        yield recorder, connection
        connection.close()
    database.shutdown()
    database.server_close()


Recorded = tuple[InsertRecorder, http.client.HTTPConnection]


def ask(connection: http.client.HTTPConnection, path: str, body: object) -> tuple[int, bytes]:
    connection.request("POST", path, body, {"Content-Encoding": "lz4"})  # type: ignore[arg-type]
    answer = connection.getresponse()
    assert answer.headers["X-ClickHouse-Summary"] == "kept"
    return answer.status, answer.read()


def test_all_goes_on_and_inserts_are_kept_while_it_records(recorder: Recorded) -> None:
    recording, connection = recorder
    path = "/?database=d&optimize_on_insert=0"
    ask(connection, path, b"INSERT INTO t before")
    recording.recording = True
    rows = b"INSERT INTO t rows"
    assert ask(connection, path, rows) == (200, path.encode() + b" " + rows)
    assert ask(connection, "/", b"SELECT 1") == (200, b"/ SELECT 1")
    recording.recording = False
    ask(connection, path, b"INSERT INTO t after")
    (insert,) = recording.inserts
    assert insert.parameters == {"database": "d", "optimize_on_insert": "0"}
    assert insert.body == rows
    assert insert.headers["Content-Encoding"] == "lz4"
    assert not {"Host", "Content-Length", "Transfer-Encoding"} & set(insert.headers)


def test_a_body_in_chunks_is_kept_in_one_piece(recorder: Recorded) -> None:
    recording, connection = recorder
    recording.recording = True
    body = iter([b"INSERT INTO t FORMAT Native\n", b"ro", b"ws"])
    assert ask(connection, "/", body) == (200, b"/ INSERT INTO t FORMAT Native\nrows")
    assert [insert.body for insert in recording.inserts] == [b"INSERT INTO t FORMAT Native\nrows"]


def test_what_the_database_refused_is_not_kept(recorder: Recorded) -> None:
    recording, connection = recorder
    recording.recording = True
    status, _ = ask(connection, "/", b"INSERT INTO t refuse")
    assert status == 500
    assert recording.inserts == []


def lz4(body: bytes) -> bytes:
    """As the driver compresses it."""
    compressor = get_compressor("lz4")
    return bytes(compressor.compress_block(body)) + bytes(compressor.flush() or b"")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"INSERT INTO slices_hour (`window_start`) FORMAT Native\nrows", True),
        (lz4(b"INSERT INTO `checkpoints` (`log`) FORMAT Native\nrows"), True),
        (b"SELECT 1", False),
        (lz4(b"SELECT 1"), False),
        (b"SELECT query FROM system.query_log WHERE query LIKE 'INSERT INTO %'", False),
        (b"", False),
    ],
)
def test_an_insert_is_one_that_writes_rows(body: bytes, expected: bool) -> None:
    assert is_insert(body) is expected
