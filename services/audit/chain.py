"""What it means for an audit that logs follow one another: which can be recounted alone, and when.

A log that follows another begins with that one's ids, which the audit does not read. So it is
recounted from where these make nothing a duplicate any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from schemas.metering_rules import HOUR_MS, MeteringRules
from services.audit.recount import keep_ms
from services.audit.span import Span
from services.audit.stored_rows import Checkpoint
from services.platform.errors import ConfigurationError
from services.platform.kafka_log import Log
from services.platform.succession import Succession
from services.platform.succession_table import read_successions

Rules = Mapping[int, Sequence[tuple[int, MeteringRules]]]
Checkpoints = Mapping[tuple[str, int], Checkpoint]


def check_chain(
    client: Client, log: Log, rules: Rules, checkpoints: Checkpoints, span: Span
) -> list[str]:
    """Say in notes what of the log's chain is not audited here.

    Raises `ConfigurationError` where ids of a log before this one would be needed.
    """
    successions = read_successions(client)
    for one in successions:
        if one.log == log.name:
            require_own_ids(one, rules, checkpoints, span)
    return [
        f"topic {log.topic} was followed by {one.topic}, which has an audit of its own:"
        f" WATTOKEN_KAFKA_TOPIC={one.topic}"
        for one in successions
        if one.predecessor_log == log.name
    ]


def require_own_ids(before: Succession, rules: Rules, checkpoints: Checkpoints, span: Span) -> None:
    """Raise `ConfigurationError` where the span asks for ids of the log before."""
    ended_ms = max(
        (
            one.last_append_ms
            for (name, _), one in checkpoints.items()
            if name == before.predecessor_log
        ),
        default=0,
    )
    ahead_ms = max(rule.too_new_ms for book in rules.values() for _, rule in book)
    first_ms = ended_ms + ahead_ms + max(keep_ms(book) for book in rules.values())
    if span.since is None or 1000 * span.since <= first_ms:
        hour = -(-(first_ms + 1) // HOUR_MS) * HOUR_MS
        earliest = datetime.fromtimestamp(hour / 1000, UTC)
        raise ConfigurationError(
            f"topic {before.topic} followed {before.predecessor_topic}, whose ids the audit does"
            f" not read: choose a span from {earliest:%Y-%m-%dT%H:%M}Z on, or audit the topic"
            f" before with WATTOKEN_KAFKA_TOPIC={before.predecessor_topic}"
        )
