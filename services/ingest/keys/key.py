"""PURE. A verified key: what it stands for, and what it may name."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.wire import UncheckedEvent
from services.ingest.errors import EventRejectedError
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.limits import Combination, KeyUse


@dataclass(frozen=True, slots=True)
class Key:
    """A verified key: what it stands for, what it has used of its limits, and when it came.

    ``at`` is in seconds of a monotonic clock.
    """

    entry: KeyEntry
    use: KeyUse
    at: float = 0.0

    def admit(self, event: UncheckedEvent, *, counted: bool = True) -> None:
        """Check an event against the key's scopes, its regions and its limits on distinct names.

        Not ``counted`` are the names of a failed call, which its caller may have made up. Raises
        `EventRejectedError` naming the limit. Tenants are the adapters' to check, which know
        whether the event named one.
        """
        entry = self.entry
        if event.entry != "usage" and "adjust" not in entry.scopes:
            raise EventRejectedError(
                "adjustment_not_allowed",
                f"this API key may not send {event.entry}s: use one with the scope 'adjust'"
                " (`wattoken keys create --scope ingest --scope adjust`)",
            )
        if not entry.allows_region(event.region):
            raise EventRejectedError(
                "region_not_allowed",
                "region is not one that this API key may name: leave it out, or use another key",
            )
        series = ((event.region, event.provider, event.model),) if counted else ()
        limit = self.use.exceeded((event.region,), series, self.at)
        if limit == "all_series":
            raise EventRejectedError(
                "too_many_series_in_all",
                f"all API keys together have named {self.use.all_series.values_max} combinations of"
                " region, provider and model within a day already: send known ones only, or have"
                " WATTOKEN_INGEST_SERIES_MAX raised",
            )
        if limit is not None:
            values_max = getattr(self.use.allowance, f"{limit}_max")
            raise EventRejectedError(
                f"too_many_{limit}",
                f"this API key has named {values_max} {limit} within a day already, its limit:"
                f" send known {limit} only, or have the key's {limit}_max raised",
            )

    def admit_all(self, regions: set[str], series: set[Combination]) -> bool:
        """Check the names of many events at once; False where any of them is to be refused.

        ``series`` are those of the events whose names count.
        """
        allowed = all(map(self.entry.allows_region, regions))
        return allowed and self.use.exceeded(regions, series, self.at) is None
