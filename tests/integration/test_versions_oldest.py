"""The oldest supported ClickHouse, which docker-compose.yml pins: a whole server of it."""

from __future__ import annotations

from tests.versions.child import ON_EVERY_SERVER, ON_EVERY_VERSION, assert_passes_on
from tests.versions.clickhouse import SERVERS, other_versions


def test_all_that_asks_clickhouse_passes_on_the_oldest_version() -> None:
    oldest = other_versions()[0]
    assert oldest in SERVERS
    assert_passes_on(oldest, *ON_EVERY_VERSION, *ON_EVERY_SERVER)
