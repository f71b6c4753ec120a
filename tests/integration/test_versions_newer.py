"""ClickHouse of every other version that is had inside a process, the newest among them."""

from __future__ import annotations

import pytest

from tests.versions.child import ON_EVERY_VERSION, assert_passes_on
from tests.versions.clickhouse import other_versions


@pytest.mark.parametrize("version", other_versions()[1:])
def test_all_that_asks_clickhouse_passes_on_newer_versions(version: str) -> None:
    assert_passes_on(version, *ON_EVERY_VERSION)
