"""Plans for small children that need no component."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local.processes import ChildPlan

MakePlan = Callable[..., ChildPlan]


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    """Plan a child that runs a Python script."""

    def make(script: str, name: str = "child", **options: Any) -> ChildPlan:
        options.setdefault("ready", lambda: True)
        options.setdefault("ready_timeout_seconds", 5)
        return ChildPlan(
            name=name,
            command=[sys.executable, "-I", "-S", "-c", script],
            log_path=tmp_path / "logs" / f"{name}.log",
            directory=tmp_path / name,
            **options,
        )

    return make
