"""PURE. The runs of a month's settlement, and when which may be made.

Names and order are those of the Settlement Runs of Great Britain's electricity market (Balancing
and Settlement Code, Section U and BSCP01): the Initial Settlement Run, three Reconciliation Runs as
later data come in, and the Final Reconciliation Run.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta
from typing import Final

from services.billing.periods import Period
from services.platform.errors import ConfigurationError

RUNS: Final = ("SF", "R1", "R2", "R3", "RF")
#: What comes in later than an hour after a month has ended is kept as events (`belated_events`),
#: and tells the runs apart. The rest of the day is for brokers' clocks.
SETTLED_AFTER: Final = timedelta(days=1)
#: The hours are kept for 400 days; a month is settled while it is whole.
KEPT: Final = timedelta(days=399)


def parse_run(text: str) -> str:
    """Read the name of a run. Raises `ConfigurationError`."""
    if text.upper() not in RUNS:
        raise ConfigurationError(f"{text!r} is no run: give one of {', '.join(RUNS)}")
    return text.upper()


def run_before(run: str) -> str | None:
    """The run that must have been made before; None for the first."""
    place = RUNS.index(run)
    return RUNS[place - 1] if place else None


def must_be_next(period: Period, run: str, made: Collection[str]) -> None:
    """See that a run follows those that were made of the month. Raises `ConfigurationError`."""
    before = run_before(run)
    if before is not None and before not in made:
        raise ConfigurationError(
            f"{run} of {period.start:%Y-%m} follows {before}, which is not settled yet: `wattoken"
            f" settle {period.start:%Y-%m} --run {before}` comes first"
        )


def must_be_time(period: Period, now: datetime) -> None:
    """See that the month is over, and still whole. Raises `ConfigurationError`."""
    name = f"{period.start:%Y-%m}"
    first = datetime.combine(period.end, time(), tzinfo=now.tzinfo) + SETTLED_AFTER
    if now < first:
        raise ConfigurationError(
            f"{name} can be settled from {first:%Y-%m-%dT%H:%M}Z on: a day after it has ended"
        )
    if now - datetime.combine(period.start, time(), tzinfo=now.tzinfo) > KEPT:
        raise ConfigurationError(
            f"{name} cannot be settled any more: its hours are older than the 400 days that they"
            " are kept for. Runs that were made are there: name one of those"
        )
