"""API keys come from a folder, one file a tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.platform.errors import ConfigurationError
from services.simulator.api_keys import read_keys


def test_one_file_a_tenant(tmp_path: Path) -> None:
    (tmp_path / "acme.key").write_text("wtk_a_b\n")
    (tmp_path / "globex.key").write_text("wtk_c_d")
    (tmp_path / "pepper").write_text("x")
    assert read_keys(tmp_path) == {"acme": "wtk_a_b", "globex": "wtk_c_d"}


def test_no_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no <tenant>.key files"):
        read_keys(tmp_path)
