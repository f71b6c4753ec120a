"""Fixtures and rules for all tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_settings_only() -> None:
    """Forget settings in the developer's environment: tests name every one they need."""
    for name in [name for name in os.environ if name.startswith("WATTOKEN_")]:
        if name != "WATTOKEN_CACHE":
            del os.environ[name]
