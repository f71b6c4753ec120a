"""PURE. What each debit and credit comes to: the adjusting events, held against what was charged.

The hours, and so the charges, have adjustments as sums; the table `adjustments` has each event with
its reason. An event is priced as the charge of its hour is. What was charged and no event tells of,
since it was metered before events were kept, is left over as an adjustment without an event: so
adjustments always come to what the lines of the bill do, to the last digit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from services.billing.exact import ZERO, negative, times, total
from services.billing.statement import Adjustment

A_MILLIONTH, A_THOUSANDTH = Decimal("0.000001"), Decimal("0.001")
#: Of each token class, the measures of an event that add to it, and those that are taken off.
CLASS_MEASURES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "uncached_input": (
        (
            *("input_tokens", "cache_read_audio_input_tokens"),
            "cache_read_image_input_tokens",
        ),
        (
            *("cache_read_input_tokens", "cache_write_input_tokens"),
            *("audio_input_tokens", "image_input_tokens"),
        ),
    ),
    "cache_read": (
        ("cache_read_input_tokens",),
        ("cache_read_audio_input_tokens", "cache_read_image_input_tokens"),
    ),
    "cache_write": (
        ("cache_write_input_tokens",),
        ("cache_write_5m_input_tokens", "cache_write_1h_input_tokens"),
    ),
    "cache_write_5m": (("cache_write_5m_input_tokens",), ()),
    "cache_write_1h": (("cache_write_1h_input_tokens",), ()),
    "audio_input": (("audio_input_tokens",), ("cache_read_audio_input_tokens",)),
    "image_input": (("image_input_tokens",), ("cache_read_image_input_tokens",)),
    "cache_read_audio": (("cache_read_audio_input_tokens",), ()),
    "cache_read_image": (("cache_read_image_input_tokens",), ()),
    "output": (
        ("output_tokens",),
        ("reasoning_output_tokens", "audio_output_tokens", "image_output_tokens"),
    ),
    "reasoning": (("reasoning_output_tokens",), ()),
    "audio_output": (("audio_output_tokens",), ()),
    "image_output": (("image_output_tokens",), ()),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What charges of one hour are told apart by, besides the tenant."""

    hour: datetime
    region: str
    provider: str
    model: str
    entry: str
    service_tier: str
    context_band: int


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge of debits or credits: ``what`` is its token class or unit; as in `charges`."""

    place: Place
    what: str
    is_unit: bool
    quantity: int
    currency: str
    price: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class AdjustingEvent:
    """A debit or credit as it was metered: ``measures`` by name of the slices' columns."""

    place: Place
    time: datetime
    event_id: str
    source: str
    adjusts: str
    reason: str
    measures: Mapping[str, int]
    units: Mapping[str, int]

    @property
    def quantities(self) -> dict[tuple[Place, str], int]:
        """What it adds to which charge; units are charged without a class of price."""
        found = {
            (self.place, name): sum(self.measures.get(one, 0) for one in more)
            - sum(self.measures.get(one, 0) for one in less)
            for name, (more, less) in CLASS_MEASURES.items()
        }
        plain = replace(self.place, service_tier="", context_band=0)
        found |= {(plain, unit): quantity for unit, quantity in self.units.items()}
        return {key: quantity for key, quantity in found.items() if quantity}


def priced_adjustments(
    events: Iterable[AdjustingEvent], charges: Iterable[Charge]
) -> tuple[Adjustment, ...]:
    """Each adjustment with its amount, by time; together they are all that was charged.

    An event whose tokens are not in the charges yet is left out: a flush may lie between two
    questions to the database.
    """
    left = {(one.place, one.what): one for one in charges}
    found: list[Adjustment] = []
    for event in sorted(events, key=lambda one: (one.time, one.source, one.event_id)):
        quantities = event.quantities
        if any(key not in left or left[key].quantity < quantities[key] for key in quantities):
            continue
        parts = [_taken(left, key, quantity) for key, quantity in quantities.items()]
        found += _of_event(event, parts)
    found += _of_rest(one for one in left.values() if one.quantity)
    return tuple(sorted(found, key=lambda one: (one.time, one.event_id or "")))


def _taken(left: dict[tuple[Place, str], Charge], key: tuple[Place, str], quantity: int) -> Charge:
    """Take a quantity out of a charge; gives the part, with its amount."""
    charge = left[key]
    part = replace(charge, quantity=quantity, amount=_amount(charge, quantity))
    rest = charge.quantity - quantity
    left[key] = replace(charge, quantity=rest, amount=_amount(charge, rest))
    return part


def _amount(charge: Charge, quantity: int) -> Decimal | None:
    """Price a part of a charge, as `charges` prices the whole."""
    if charge.price is None:
        return None
    per = A_THOUSANDTH if charge.is_unit else A_MILLIONTH
    amount = times(times(Decimal(quantity), charge.price), per)
    return negative(amount) if charge.place.entry == "credit" else amount


def _of_event(event: AdjustingEvent, parts: list[Charge]) -> list[Adjustment]:
    """The event's amount in each currency; mostly one."""
    plain = Adjustment(
        time=event.time,
        entry=event.place.entry,
        event_id=event.event_id,
        source=event.source,
        adjusts=event.adjusts,
        reason=event.reason,
        region=event.place.region,
        provider=event.place.provider,
        model=event.place.model,
        tokens=event.measures.get("input_tokens", 0) + event.measures.get("output_tokens", 0),
        currency="",
        amount=None if parts else ZERO,
    )
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for part in parts:
        if part.amount is not None:
            amounts[part.currency].append(part.amount)
    if not amounts:
        return [plain]
    return [replace(plain, currency=name, amount=total(found)) for name, found in amounts.items()]


def _of_rest(charges: Iterable[Charge]) -> list[Adjustment]:
    """What no event tells of, an hour and series together."""
    groups: dict[tuple[object, ...], list[Charge]] = defaultdict(list)
    for one in charges:
        place = one.place
        labels = (place.hour, place.region, place.provider, place.model, place.entry)
        groups[(*labels, one.currency)].append(one)
    return [
        Adjustment(
            time=parts[0].place.hour,
            entry=parts[0].place.entry,
            event_id=None,
            source="",
            adjusts="",
            reason="",
            region=parts[0].place.region,
            provider=parts[0].place.provider,
            model=parts[0].place.model,
            tokens=sum(one.quantity for one in parts if not one.is_unit),
            currency=parts[0].currency,
            amount=None
            if parts[0].price is None
            else total(one.amount for one in parts if one.amount is not None),
        )
        for parts in groups.values()
    ]
