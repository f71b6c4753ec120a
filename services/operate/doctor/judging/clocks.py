"""PURE. Whether the clocks agree: event times are judged by those of the brokers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.operate.doctor.finding import Finding, error, ok, skipped, warning

#: A difference beyond which reports of freshness and lateness mislead.
WARNING_MS: Final = 2_000
#: And one beyond which events are refused soon: they may be five minutes ahead.
ERROR_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a clock is ahead of ours: at least and at most, in milliseconds.

    ``most_ms`` is None where only a bound from below is known, as of a broker to which nothing was
    written while we looked.
    """

    whose: str
    least_ms: int
    most_ms: int | None


def judge(clocks: tuple[Clock, ...]) -> Iterator[Finding]:
    """Judge each clock against ours."""
    for clock in clocks:
        yield _judged(clock)


def _judged(clock: Clock) -> Finding:
    what = f"clock of {clock.whose}"
    if clock.least_ms > 0:
        off_ms, where = clock.least_ms, "ahead of"
    elif clock.most_ms is not None and clock.most_ms < 0:
        off_ms, where = -clock.most_ms, "behind"
    else:
        off_ms, where = 0, ""
    if off_ms >= WARNING_MS:
        found = f"at least {off_ms / 1000:.1f} s {where} this machine's"
        remedy = "have NTP set all clocks (chronyc tracking)"
        if off_ms >= ERROR_MS:
            return error(what, f"{found}: events are refused as too new, or count as late", remedy)
        return warning(what, found, remedy)
    if clock.most_ms is None:
        return skipped(
            what, "not ahead of this machine's; no event came meanwhile, to tell if it is behind"
        )
    return ok(what, f"within {max(abs(clock.least_ms), abs(clock.most_ms)) / 1000:.1f} s of ours")
