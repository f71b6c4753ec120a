"""A log that follows another is recounted where the other's ids make nothing a duplicate."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from schemas.metering_rules import HOUR_MS, MeteringRules
from services.audit.chain import require_own_ids
from services.audit.recount import CLOCK_STEP_MS
from services.audit.span import Span
from services.audit.stored_rows import Checkpoint
from services.platform.errors import ConfigurationError
from services.platform.succession import Stretch, Succession

ENDED_MS = 1_000 * HOUR_MS
FOLLOWS = Succession("c/b", "b", 2, "c/a", "a", (Stretch(0, 10),))
RULES = {number: [(0, MeteringRules())] for number in range(2)}
CHECKPOINTS = {
    ("c/a", 0): Checkpoint("c/a", 0, "a", 10, 0, 10, 10, 0, 0, {}, 0, ENDED_MS),
    ("c/b", 0): Checkpoint("c/b", 0, "b", 10, 0, 10, 10, 0, 0, {}, 0, 2 * ENDED_MS),
}
FREE_MS = ENDED_MS + MeteringRules().dedup_horizon_ms + CLOCK_STEP_MS + MeteringRules().too_new_ms


@pytest.mark.parametrize("since", [None, 0, ENDED_MS // 1000, FREE_MS // 1000])
def test_where_they_would_be_needed_it_refuses(since: int | None) -> None:
    with pytest.raises(ConfigurationError, match="WATTOKEN_KAFKA_TOPIC=a"):
        require_own_ids(FOLLOWS, RULES, CHECKPOINTS, Span(since))


def test_the_span_that_it_names_is_one_it_takes() -> None:
    with pytest.raises(ConfigurationError) as refused:
        require_own_ids(FOLLOWS, RULES, CHECKPOINTS, Span())
    named = re.search(r"from (\S+)Z on", str(refused.value))
    assert named is not None
    since = datetime.fromisoformat(named[1]).replace(tzinfo=UTC)
    require_own_ids(FOLLOWS, RULES, CHECKPOINTS, Span(int(since.timestamp())))
