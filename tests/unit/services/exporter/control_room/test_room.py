"""The document without a database: an answer all the same, shared, and soon."""

from __future__ import annotations

import asyncio
import gzip
import json
import time

import pytest

from services.exporter.control_room.room import ControlRoom
from services.exporter.settings import ExporterSettings
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.platform.errors import ConfigurationError
from services.platform.settings import read_settings


@pytest.fixture
def room() -> ControlRoom:
    port = pick_port(None)
    give_back(port)
    return ControlRoom(
        ExporterSettings(
            clickhouse_port=port,
            kafka_bootstrap_servers=f"{LOOPBACK}:{port}",
            exporter_timeout_seconds=1,
        ),
        clock=lambda: 1_773_576_000.0,
    )


def test_without_clickhouse_it_says_so_in_time(room: ControlRoom) -> None:
    begun = time.monotonic()
    answer = asyncio.run(room.answer())
    assert time.monotonic() - begun < 3
    document = json.loads(answer.body)
    assert document["version"] == 1
    assert document["status"]["state"] == "unavailable"
    assert document["status"]["since"] == 1_773_576_000.0
    assert "ClickHouse" in document["sections"]["load"]["error"]
    assert set(document["sections"]) == {
        *("load", "day", "registers", "today", "period", "capacity"),
        *("mix", "league", "models", "spend", "electricity", "health"),
    }
    assert gzip.decompress(answer.packed) == answer.body


def test_viewers_share_one_answer(room: ControlRoom) -> None:
    async def both() -> None:
        first, second = await asyncio.gather(room.answer(), room.answer())
        assert first is second
        assert await room.answer() is first

    asyncio.run(both())


def test_links_and_alerts_are_there_where_they_are_set() -> None:
    settings = ExporterSettings(
        clickhouse_port=1,
        kafka_bootstrap_servers=f"{LOOPBACK}:1",
        exporter_timeout_seconds=3,
        exporter_grafana_url="https://grafana.example",
        exporter_runbook_url="",
        exporter_prometheus_url=f"http://{LOOPBACK}:1",
    )
    document = json.loads(asyncio.run(ControlRoom(settings).answer()).body)
    assert document["links"] == {"grafana": "https://grafana.example", "runbook": ""}
    assert "Prometheus does not answer" in document["sections"]["alerts"]["error"]
    assert document["status"]["cause"] == "unread"


@pytest.mark.parametrize("address", ["grafana.example", "javascript:alert(1)", "http://u:p@host"])
def test_an_address_is_one_without_a_password(address: str) -> None:
    with pytest.raises(ConfigurationError, match="WATTOKEN_EXPORTER_GRAFANA_URL"):
        read_settings(ExporterSettings, exporter_grafana_url=address)
