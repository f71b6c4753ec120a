"""PURE. A model of genai-prices as a tariff of a price list: versions, periods, tiers, lengths.

The package decides itself which prices hold at a moment and in a context (`get_prices`); it is
asked at each moment and in each context that can differ, and its answers are written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.catalogue.entries import FLAT, CalendarEntry
from schemas.catalogue.listed_tariffs import ALWAYS, ListedTariff, ListedVariant, ListedVersion
from schemas.catalogue.prices import STANDARD
from schemas.catalogue.tariff_entries import FOREVER
from schemas.price_class import CONTEXT_THRESHOLDS
from services.billing.price_lists.drawn import NotTaken, Prices, class_prices
from services.billing.price_lists.genai_clauses import names_and_patterns
from services.billing.price_lists.genai_conditions import (
    TIERS,
    Model,
    calendar_of,
    is_priced,
    other_contexts,
    periods_of,
    starts_of,
)
from services.billing.price_lists.genai_keys import prices_of
from services.billing.price_lists.timeline import joined

#: How names of OpenRouter end where nothing is charged.
_FREE: Final = ":free"


@dataclass(frozen=True, slots=True)
class Drawing:
    """How tariffs of one list are drawn: its name, where from, when, and with tiers or without."""

    list: str
    source: str
    seen: date
    #: Of another provider's model the package knows the standard prices only.
    tiers: bool = True


@dataclass(slots=True)
class _Remarks:
    """What is remarked, each once, in the order in which it came up."""

    said: dict[str, None] = field(default_factory=dict)

    def add(self, remarks: Iterable[str]) -> None:
        self.said |= dict.fromkeys(remarks)


def draw(model: Model, name: str, drawing: Drawing) -> tuple[ListedTariff, CalendarEntry | None]:
    """Make the tariff of a model, and the calendar that it goes by; ``name`` is its own there.

    A tariff without a version says why its prices are not taken. Raises `NotTaken` only where not
    even names can be told.
    """
    names, patterns = names_and_patterns(model.match)
    tariff = ListedTariff(
        list=drawing.list, model=name, names=names, patterns=patterns, not_taken="not yet drawn"
    )
    try:
        periods, versions, remarks = _prices(model, drawing)
    except NotTaken as reason:
        return tariff.model_copy(update={"not_taken": str(reason)}), None
    calendar = calendar_of(periods)
    update = {
        "calendar": None if calendar is None else calendar.calendar,
        "versions": versions,
        "not_taken": None,
        "remarks": remarks,
    }
    return tariff.model_copy(update=update), calendar


def _prices(
    model: Model, drawing: Drawing
) -> tuple[dict[str, int], tuple[ListedVersion, ...], tuple[str, ...]]:
    """The periods of a model, its versions, and what is remarked of them. Raises `NotTaken`."""
    remarks = _Remarks()
    starts = starts_of(model)
    periods = periods_of(model, starts)
    versions: list[ListedVersion] = []
    for start, end in zip(starts, [*starts[1:], FOREVER], strict=True):
        version = _version(model, start, end, periods, drawing, remarks)
        if version is not None:
            versions.append(version)
    if not versions and model.id.endswith(_FREE):
        versions.append(_free(drawing))
        remarks.add(("is free, as its name says",))
    if not versions:
        raise NotTaken("has no price in its list: it is free, or its price is not known")
    if drawing.tiers:
        remarks.add(other_contexts(model, starts[-1]))
    return periods, joined(versions), tuple(remarks.said)


def _free(drawing: Drawing) -> ListedVersion:
    """What a model costs whose name says that it is free."""
    prices = {FLAT: class_prices({"uncached_input": Decimal(0)})}
    return ListedVersion(prices=prices, **_span(ALWAYS, FOREVER, drawing))


def _version(
    model: Model,
    start: datetime,
    end: datetime,
    periods: Mapping[str, int],
    drawing: Drawing,
    remarks: _Remarks,
) -> ListedVersion | None:
    """What holds from a start on; None if the list has no price then."""
    standard = _by_length(model, start, periods, None, remarks)
    if standard is None:
        return None
    units = _units(standard)
    tiers: dict[str, _ByLength] = {}
    for tier, context in TIERS.items() if drawing.tiers else ():
        said = _by_length(model, start, periods, context, remarks)
        if said is not None and is_priced(model, context, start):
            tiers[tier] = said
            if _units(said) != units:
                remarks.add((f"{tier}: its units are billed as in the standard tier",))
    if not any(prices.tokens for prices in standard[0].values()):
        return ListedVersion(units=dict(units), **_span(start, end, drawing))
    variants = list(_variants(STANDARD, standard))[1:]
    for tier, said in tiers.items():
        variants += _variants(tier, said)
    return ListedVersion(
        prices={period: class_prices(one.tokens) for period, one in standard[0].items()},
        variants=tuple(variants),
        units=dict(units),
        **_span(start, end, drawing),
    )


def _span(start: datetime, end: datetime, drawing: Drawing) -> dict[str, Any]:
    """When a version holds, and where it is from."""
    return {
        **{"valid_from": start, "valid_to": end},
        **{"source": drawing.source, "source_date": drawing.seen},
    }


#: Prices by period, of input above a threshold; of any length above 0.
_ByLength = dict[int, dict[str, Prices]]


def _units(by_length: _ByLength) -> Mapping[str, Decimal]:
    """The prices of units, which are the same at all hours and for input of any length."""
    return next(iter(by_length[0].values())).units


def _by_length(
    model: Model,
    start: datetime,
    periods: Mapping[str, int],
    context: Mapping[str, str] | None,
    remarks: _Remarks,
) -> _ByLength | None:
    """What the package says, at each threshold that it names and in each period."""
    said = {
        period: _values(model.get_prices(start + timedelta(hours=hour), context))
        for period, hour in periods.items()
    }
    if not any(said.values()):
        return None
    thresholds = {
        tier.start
        for values in said.values()
        for value in values.values()
        for tier in getattr(value, "tiers", ())
    }
    strange = sorted(thresholds - set(CONTEXT_THRESHOLDS))
    if strange:
        raise NotTaken(f"has other prices above {strange[0]:,} tokens, which no rule tells apart")
    found: _ByLength = {}
    for threshold in (0, *sorted(thresholds)):
        found[threshold] = {}
        for period, values in said.items():
            prices = prices_of({key: _at(value, threshold) for key, value in values.items()})
            remarks.add(prices.remarks)
            found[threshold][period] = prices
    return found


def _values(prices: Any) -> dict[str, Any]:
    """What a `ModelPrice` prices: a Decimal each, or one with tiers by length of input."""
    return {key: value for key, value in vars(prices).items() if value is not None}


def _at(value: Any, threshold: int) -> Decimal:
    """The price of requests with a little more input than a threshold."""
    if isinstance(value, Decimal):
        return value
    price: Decimal = value.base
    for tier in value.tiers:
        if tier.start <= threshold:
            price = tier.price
    return price


def _variants(tier: str, by_length: _ByLength) -> Iterator[ListedVariant]:
    for threshold, by_period in by_length.items():
        yield ListedVariant(
            service_tier=tier,
            above_input_tokens=threshold,
            prices={period: class_prices(prices.tokens) for period, prices in by_period.items()},
        )
