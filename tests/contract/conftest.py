"""What contract tests share: the tool that reads and tries rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.prometheus import fetch_prometheus, find_promtool
from tests.integration.conftest import missing
from tests.versions.effort import brief
from tests.versions.prometheus import newest_prometheus

#: `make check` tries rules on the first only: a quarter of a minute each, and one more to fetch.
VERSIONS = ["of the local stack", *([] if brief() else ["the newest"])]


@pytest.fixture(scope="module", params=VERSIONS)
def promtool(request: pytest.FixtureRequest) -> Path:
    """The tool of both ends of what is supported (docs/supported-versions.md)."""
    if request.param == "the newest":
        newest = newest_prometheus()
        if newest is None:
            pytest.skip("Debian's unstable suite has no Prometheus that runs here")
        return newest.with_name("promtool")
    try:
        fetch_prometheus(print)
    except ComponentMissing as error:
        missing(error)
    found = find_promtool()
    if found is None:
        pytest.skip("promtool is not beside prometheus, where its packages have it")
    return found
