"""Ready checks: quick questions to a child that answer yes or no, never raise and never block."""

from __future__ import annotations

import http.client
import socket
import urllib.error
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from confluent_kafka import KafkaException

from services.local_stack.ports import LOOPBACK
from services.platform.clickhouse import connect
from services.platform.direct_http import direct_opener
from services.platform.errors import WattokenError
from services.platform.kafka import admin_client
from services.platform.settings import ClickHouseSettings, KafkaSettings

ReadyCheck = Callable[[], bool]
ANSWER_TIMEOUT_SECONDS = 2.0


def http_answers(url: str, ca_file: Path | None = None) -> ReadyCheck:
    """Ready when the URL answers 200; over https, only ``ca_file``'s authorities are trusted."""
    opener = direct_opener(ca_file)

    def check() -> bool:
        try:
            with opener.open(url, timeout=ANSWER_TIMEOUT_SECONDS) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError, http.client.HTTPException):
            return False

    return check


def broker_answers(port: int) -> ReadyCheck:
    """Ready when the broker has registered itself with its controller, so topics can be made."""
    settings = KafkaSettings(kafka_bootstrap_servers=f"{LOOPBACK}:{port}")

    def check() -> bool:
        if not port_listens(port):
            return False
        # Held in a variable: a client that is collected takes its pending answer with it. Fresh
        # each time: one that met a closed port waits ever longer before it tries again.
        admin = admin_client(settings)
        try:
            pending = admin.describe_cluster(request_timeout=ANSWER_TIMEOUT_SECONDS)
            cluster = pending.result(timeout=2 * ANSWER_TIMEOUT_SECONDS)
        except (KafkaException, TimeoutError):
            return False
        return bool(cluster.nodes) and bool(cluster.cluster_id)

    return check


def port_listens(port: int) -> bool:
    """Whether anything accepts connections on the loopback port."""
    try:
        socket.create_connection((LOOPBACK, port), ANSWER_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def clickhouse_answers(port: int) -> ReadyCheck:
    """Ready when a query is answered."""
    settings = ClickHouseSettings(
        clickhouse_host=LOOPBACK, clickhouse_port=port, clickhouse_timeout_seconds=2
    )
    ping = http_answers(f"http://{LOOPBACK}:{port}/ping")

    def check() -> bool:
        if not ping():
            return False
        try:
            with closing(connect(settings, database="default")) as client:
                return bool(client.query("SELECT 1").result_rows == [(1,)])
        except WattokenError:
            return False

    return check
