"""Which user is whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.operate.doctor.looking.clickhouse import state_disk, users
from services.operate.doctor.settings import DoctorSettings
from services.platform.errors import ConfigurationError


def test_the_usual_users_are_those_of_the_containers() -> None:
    assert users(DoctorSettings().doctor_clickhouse_users) == {
        "migrate": "wattoken_migrate",
        "aggregator": "wattoken_aggregator",
        "exporter": "wattoken_exporter",
    }


@pytest.mark.parametrize("wrong", ["exporter", "grafana=x"])
def test_what_is_no_service_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="DOCTOR_CLICKHOUSE_USERS.*exporter=USER"):
        users(f"migrate=m, {wrong}")


def test_a_folder_of_ids_that_is_elsewhere_is_not_looked_at(tmp_path: Path) -> None:
    assert state_disk(tmp_path / "elsewhere") is None
    disk = state_disk(tmp_path)
    assert disk is not None
    assert 0 < disk.free_bytes <= disk.total_bytes
