"""PURE. Versions of a listed tariff over time, and how what a list says now goes on from before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from schemas.catalogue.entries import FLAT
from schemas.catalogue.listed_tariffs import ALWAYS, ListedTariff, ListedVersion
from schemas.catalogue.prices import ClassPrices

Versions = tuple[ListedVersion, ...]


def content(version: ListedVersion) -> object:
    """All that a version says of prices, wherever they are from."""
    variants = {(v.service_tier, v.above_input_tokens): v.prices for v in version.variants}
    return version.prices, variants, version.units


def joined(versions: Iterable[ListedVersion], apart: Collection[datetime] = ()) -> Versions:
    """The versions, as one where one after another says the same of prices.

    Not at the moments of ``apart``: there a version begins whatever it says.
    """
    found: list[ListedVersion] = []
    for version in versions:
        last = found[-1] if found else None
        start = version.valid_from
        follows = last is not None and last.valid_to == start and start not in apart
        if last is not None and follows and content(last) == content(version):
            found[-1] = last.model_copy(update={"valid_to": version.valid_to})
        else:
            found.append(version)
    return tuple(found)


def continued(before: ListedTariff, now: ListedTariff, seen: datetime) -> ListedTariff:
    """Go on from the prices of before with what the list says now, seen at a day's beginning.

    From that day on the list's prices of now hold. Earlier ones stay as they were, so that past
    bills do; but a change that the list itself gives a day for, and that was not known, holds from
    its day. What stays the same keeps where and when it was first seen.
    """
    if not before.versions:
        return now
    if not now.versions:
        names = {"names": now.names, "patterns": now.patterns, "disputes": now.disputes}
        remark = f"since {seen:%Y-%m-%d} its list has no price that can be taken: {now.not_taken}"
        kept = tuple(one for one in before.remarks if not one.startswith("since "))
        return before.model_copy(update={**names, "remarks": (*kept, remark)})
    old, new, calendar = _in_one_calendar(before, now)
    ends = {end for version in (*old, *new) for end in (version.valid_from, version.valid_to)}
    cuts = sorted({*ends, seen})
    known = {version.valid_from for version in old}
    pieces: list[ListedVersion] = []
    for start, end in zip(cuts, cuts[1:], strict=False):
        was, says = _at(old, start), _at(new, start)
        chosen = _choose(was, says, known, is_past=start < seen)
        if chosen is not None:
            pieces.append(chosen.model_copy(update={"valid_from": start, "valid_to": end}))
    # A change that the list dates stays known by its day, or it would be news again next time.
    dated = {version.valid_from for version in new} - {ALWAYS}
    return now.model_copy(update={"versions": joined(pieces, dated), "calendar": calendar})


def _at(versions: Versions, moment: datetime) -> ListedVersion | None:
    return next((v for v in versions if v.valid_from <= moment < v.valid_to), None)


def _choose(
    was: ListedVersion | None, says: ListedVersion | None, known: set[datetime], *, is_past: bool
) -> ListedVersion | None:
    """Which of both holds in a span in which neither changes."""
    if was is None or says is None:
        return (was or says) if is_past else says
    if content(was) == content(says):
        return was
    is_news = says.valid_from != ALWAYS and says.valid_from not in known
    return says if is_news or not is_past else was


def _in_one_calendar(
    before: ListedTariff, now: ListedTariff
) -> tuple[Versions, Versions, str | None]:
    """Both histories in the periods of one calendar: a flat price is that of all periods.

    Of two calendars the one of now is kept, and no history in the other.
    """
    if before.calendar == now.calendar:
        return before.versions, now.versions, now.calendar
    if before.calendar is None:
        return _spread(before.versions, now.versions), now.versions, now.calendar
    if now.calendar is None:
        return before.versions, _spread(now.versions, before.versions), before.calendar
    return (), now.versions, now.calendar


def _spread(flat: Versions, of: Versions) -> Versions:
    """Flat versions with the periods that others have."""
    periods = next((version.prices for version in of if version.prices), {})
    return tuple(
        version.model_copy(
            update={
                "prices": _in_periods(version.prices, periods),
                "variants": tuple(
                    variant.model_copy(update={"prices": _in_periods(variant.prices, periods)})
                    for variant in version.variants
                ),
            }
        )
        for version in flat
    )


def _in_periods(flat: Mapping[str, ClassPrices], periods: Iterable[str]) -> dict[str, ClassPrices]:
    return {period: flat[FLAT] for period in periods} if flat else {}
