"""PURE. Are the figures of now? One verdict over all sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.exporter.control_room.document import Health, Load, Meters, Section, Status

#: Usage comes every minute; three minutes without any means that gateways or meter stand still.
STALE_AFTER_SECONDS: Final = 180
NOTHING_YET: Final = (
    'Nothing was metered yet: send an event (README.md, "Send the first event"); if you did,'
    " `wattoken doctor` says where it is stuck"
)
#: Without these the page says nothing true about now.
VITAL: Final = ("load", "registers", "health")


def judge(sections: Mapping[str, Section], now: float) -> Status:
    """Give the verdict: what cannot be read first, then what is old."""
    failed = [sections[name] for name in VITAL if sections[name].error is not None]
    if failed:
        first = min(failed, key=lambda section: section.error_since or now)
        return Status("unavailable", first.error or "", first.error_since, "unread")
    load, meters = sections["load"].data, sections["registers"].data
    if not isinstance(load, Load) or not isinstance(meters, Meters):
        return Status("unavailable", "nothing was read yet", None, "unread")
    if not meters.regions:
        return Status("empty", NOTHING_YET, cause="empty")
    end = load.last_interval_end
    if end is not None and now - end <= STALE_AFTER_SECONDS:
        return Status("live")
    health = sections["health"].data
    if not isinstance(health, Health):
        return Status("stale", "no usage arrives", end, "no_usage")
    # The load curve reaches back a few hours only; the checkpoints know of older usage.
    since = end if end is not None else health.newest_event
    if health.lag is not None and int(health.lag) > 0:
        reason = f"the meter is {int(health.lag):,} records behind"
        return Status("stale", reason, since, "behind", health.lag)
    return Status("stale", "no usage arrives", since, "no_usage")
