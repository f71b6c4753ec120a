"""From the release before to this tree: an old and a new worker side by side, exact."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.infrastructure import Infrastructure
from tests.upgrades import history
from tests.upgrades.history import NoHistoryError
from tests.upgrades.orders import Order, order_of
from tests.upgrades.report import line
from tests.upgrades.run import run_one
from tests.upgrades.trees import ROOT, TreeError, older_tree
from tests.upgrades.upgrade import briefly

pytestmark = [pytest.mark.faults, pytest.mark.stack]

#: Other tests run beside it.
PATIENCE_SECONDS = 150.0


def missing(what: str) -> NoReturn:
    """Skip where something cannot be had; that is a failure in CI."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"CI must have every component: {what}", pytrace=False)
    pytest.skip(what)


@pytest.mark.timeout(900)
def test_the_newest_upgrade_is_exact(tmp_path: Path) -> None:
    try:
        pair = history.newest(ROOT, history.changes(ROOT))
        older_tree(pair.old, print)
    except NoHistoryError as error:
        pytest.skip(f"no older tree to upgrade from: {error}")
    except TreeError as error:
        missing(str(error))
    try:
        with Infrastructure(tmp_path, broker="kafka", prometheus="none") as infrastructure:
            order = order_of(pair.brings)
            found = run_one(
                *(infrastructure, pair, order, print),
                patience=PATIENCE_SECONDS,
                upgrade=briefly if order is Order.SIDE_BY_SIDE else None,
            )
    except ComponentMissing as error:
        missing(str(error))
    assert found.exact, line(found)
    assert found.events > 500
    assert found.resent > 30
