"""ClickHouse of every other version that is had inside a process, the newest among them."""

from __future__ import annotations

import pytest

from tests.versions.child import ORACLES, QUERIES, assert_passes_on
from tests.versions.clickhouse import other_versions

each_newer = pytest.mark.parametrize("version", other_versions()[1:])


@each_newer
def test_what_services_ask_is_answered_on_newer_versions(version: str) -> None:
    assert_passes_on(version, *QUERIES)


@pytest.mark.nightly
@each_newer
def test_the_oracles_agree_on_newer_versions(version: str) -> None:
    assert_passes_on(version, *ORACLES)
