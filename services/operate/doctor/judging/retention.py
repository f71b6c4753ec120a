"""PURE. Whether the log keeps records long enough, for dedup and for a restore."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.metering_rules import DAY_MS, HOUR_MS, MeteringRules
from services.operate.doctor.finding import Finding, error, ok, skipped, warning

#: By so much a broker's clock may step (docs/adr/0015-steps-of-the-clock.md).
CLOCK_STEP_MS: Final = 25 * HOUR_MS
#: By so much copies of ids are behind at most, with room for a stop.
COPIES_LAG_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class Retention:
    """What the topic keeps, by which rules it is metered, and what is known of backups.

    ``retention_ms`` and ``retention_bytes`` are -1 without a limit. ``rules`` are those in force,
    None where there are none. ``backup_age_ms`` is the age of the newest backup that the server
    knows of, None where it knows of none; ``backup_ms`` is how often they are to be made.
    ``copied`` says whether copies of ids reach as far back as these matter, and to where the log
    begins.
    """

    topic: str
    retention_ms: int
    retention_bytes: int
    rules: MeteringRules | None
    backup_ms: int
    backup_age_ms: int | None
    copied: bool = False


def judge(facts: Retention) -> Iterator[Finding]:
    """Judge the topic's retention, then the rules, then the backups."""
    what = f"retention of {facts.topic}"
    rules = facts.rules
    if rules is None:
        yield error("metering rules", "the log has none", "run `wattoken migrate`")
        return
    horizon_ms = rules.dedup_horizon_ms + CLOCK_STEP_MS
    # What copies of ids lack is minutes old.
    least_ms = facts.backup_ms + (COPIES_LAG_MS if facts.copied else horizon_ms)
    alter = f"kafka-configs.sh --alter --topic {facts.topic} --add-config"
    if facts.retention_ms == -1 or facts.retention_ms >= least_ms:
        kept = "without end" if facts.retention_ms == -1 else _days(facts.retention_ms)
        needs = "a restore needs" if facts.copied else "dedup and a restore need"
        yield ok(what, f"{kept}; {needs} {_days(least_ms)}")
    elif facts.copied:
        yield warning(
            what,
            f"{_days(facts.retention_ms)} is less than the {_days(facts.backup_ms)} between backups"
            " and an hour for what copies of ids lack: a restored backup is not caught up with",
            f"{alter} retention.ms={least_ms}, or back up more often (and say so in"
            " WATTOKEN_DOCTOR_BACKUP_HOURS)",
        )
    elif facts.retention_ms < horizon_ms:
        yield error(
            what,
            f"{_days(facts.retention_ms)} is less than the {_days(horizon_ms)} of the dedup horizon"
            " and a clock's step: a worker that starts again cannot know all ids, so duplicates"
            " count",
            f"{alter} retention.ms={least_ms}, or have ids copied"
            " (docs/runbook.md, 'Copies of ids')",
        )
    else:
        yield warning(
            what,
            f"{_days(facts.retention_ms)} is less than the dedup horizon, a clock's step and the"
            f" {_days(facts.backup_ms)} between backups: a restored backup is not caught up with",
            f"{alter} retention.ms={least_ms}, or back up more often (and say so in"
            " WATTOKEN_DOCTOR_BACKUP_HOURS)",
        )
    if facts.retention_bytes != -1:
        yield warning(
            what,
            f"retention.bytes is {facts.retention_bytes:,}: much traffic deletes records before"
            " their time, metered or not",
            f"{alter} retention.bytes=-1, and size the disks for {_days(least_ms)}",
        )
    if rules.too_old_ms > rules.hour_retention_ms:
        yield warning(
            "metering rules",
            f"events of up to {_days(rules.too_old_ms)} are taken, and hours are kept for"
            f" {_days(rules.hour_retention_ms)}: older ones count in registers only, and are not on"
            " bills",
            "change the rules (docs/runbook.md, 'Changing metering rules')",
        )
    yield _backups(facts)


def _backups(facts: Retention) -> Finding:
    if facts.backup_age_ms is None:
        return skipped(
            "backups",
            "the server knows of none (it forgets them when it starts, unless it has a backup_log)",
            "see that they are made: docs/runbook.md, 'Backing up'",
        )
    if facts.backup_age_ms > facts.backup_ms:
        return warning(
            "backups",
            f"the newest is {_days(facts.backup_age_ms)} old, and one is due every"
            f" {_days(facts.backup_ms)}",
            "see why none was made since: docs/runbook.md, 'Backing up'",
        )
    return ok("backups", f"the newest is {_days(facts.backup_age_ms)} old")


def _days(milliseconds: int) -> str:
    if milliseconds < 2 * DAY_MS:
        return f"{milliseconds / HOUR_MS:.3g} h"
    return f"{milliseconds / DAY_MS:.3g} days"
