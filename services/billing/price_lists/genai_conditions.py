"""PURE. When a model of genai-prices has other prices: days, hours, contexts that are our tiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from schemas.catalogue.entries import FLAT, CalendarEntry
from schemas.catalogue.listed_tariffs import ALWAYS

#: The context in which the package is asked for a tier. Its providers say in three ways how a
#: request was served; no two of them mean one tier of ours by different values.
TIERS: Final[dict[str, Mapping[str, str]]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
#: What a provider calls the tier that is ours by no name.
_USUAL: Final[Mapping[str, str]] = {"service_tier": "default"}
HOURS_A_DAY: Final = 24


class Model(Protocol):
    """What is asked of the package's `ModelInfo`."""

    id: str
    match: Any
    prices: Any
    price_variants: Any

    def get_prices(
        self, request_timestamp: datetime, price_context: Mapping[str, str] | None = None
    ) -> Any:
        """The package's `ModelPrice` at a moment, in a context."""


def _conditions(model: Model) -> Iterator[Any]:
    """All conditions under which a price of a model holds."""
    conditional = model.prices if isinstance(model.prices, list) else ()
    for one in (*conditional, *(model.price_variants or ())):
        if one.constraint is not None:
            yield one.constraint


def starts_of(model: Model) -> list[datetime]:
    """From when on other prices may hold; the first is from always on."""
    days = {one.start_date for one in _conditions(model) if hasattr(one, "start_date")}
    return [ALWAYS, *(datetime(day.year, day.month, day.day, tzinfo=UTC) for day in sorted(days))]


def periods_of(model: Model, starts: Sequence[datetime]) -> dict[str, int]:
    """The periods of a model's day, each by its name with one of its hours; `flat` is a whole day.

    Hours of UTC are in one period if they are priced alike in each version. An hour is priced as it
    begins, as usage is that is kept by hours.
    """
    if not any(hasattr(one, "start_time") for one in _conditions(model)):
        return {FLAT: 0}
    alike: dict[str, list[int]] = {}
    for hour in range(HOURS_A_DAY):
        prices = [model.get_prices(start + timedelta(hours=hour)) for start in starts]
        alike.setdefault(repr(prices), []).append(hour)
    if len(alike) == 1:
        return {FLAT: 0}
    return {_period_name(hours): hours[0] for hours in alike.values()}


def _period_name(hours: Sequence[int]) -> str:
    """Hours as a name: ``utc-01-04.06-10``."""
    begins = [hour for hour in hours if hour - 1 not in hours]
    ends = [hour + 1 for hour in hours if hour + 1 not in hours]
    return "utc-" + ".".join(f"{a:02}-{b:02}" for a, b in zip(begins, ends, strict=True))


def calendar_of(periods: Mapping[str, int]) -> CalendarEntry | None:
    """The calendar of such periods, named by them; None of a flat day."""
    if FLAT in periods:
        return None
    spans = {
        name: [
            {"from": int(span[:2]), "to": int(span[3:])}
            for span in name.removeprefix("utc-").split(".")
        ]
        for name in periods
    }
    return CalendarEntry.model_validate(
        {"calendar": "_".join(sorted(periods)), "zone": "UTC", "periods": spans}
    )


def is_priced(model: Model, context: Mapping[str, str], moment: datetime) -> bool:
    """Whether the list says anything of a tier at a moment."""
    return any(
        (one.constraint is None or one.constraint.active(moment))
        and one.when.items() <= context.items()
        for one in model.price_variants or ()
    )


def other_contexts(model: Model, moment: datetime) -> Iterator[str]:
    """Say which contexts of the list are none of our tiers."""
    for one in model.price_variants or ():
        if one.when == _USUAL:
            if model.get_prices(moment, _USUAL) != model.get_prices(moment):
                yield "service_tier default has prices of its own, which are not taken over"
        elif not any(one.when.items() <= context.items() for context in TIERS.values()):
            names = ", ".join(f"{key} {value}" for key, value in one.when.items())
            yield f"prices for {names} are not taken over"
