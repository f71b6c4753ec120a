"""PURE. Adds up the rows of an export, and says which days of it are whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from services.platform.errors import ConfigurationError
from services.reconcile.bill import (
    ANY_CONTEXT,
    DAY,
    Bill,
    Billed,
    Context,
    Days,
    Key,
    LeftOut,
    one_day,
)

DAY_SECONDS: Final = 86_400
ZERO: Final = Decimal(0)
#: An amount is taken to be rounded to the cent at the coarsest: an export in which every amount
#: happens to have none is not one in whole dollars.
PLACES_MIN: Final = 2
#: A number of blocks, such as millions of tokens, likewise: it has as many decimals as any in the
#: export, and these at least.
BLOCK_PLACES_MIN: Final = 3


@dataclass(slots=True)
class _Sums:
    quantity: int | None = None
    #: Sizes of the blocks that it was told in, added up.
    blocks: Decimal = ZERO
    amount: Decimal | None = None
    amounts: int = 0


@dataclass(slots=True)
class Tally:
    """What was read so far, of one export or of several pages of one.

    ``document`` names the file that is being read, for errors.
    """

    format: str
    document: str = ""
    #: Who billed, whatever lines there are.
    provider: str | None = None
    _sums: dict[Key, _Sums] = field(default_factory=dict)
    _requests: Counter[tuple[Days, str, str]] = field(default_factory=Counter)
    _currencies: dict[str, str] = field(default_factory=dict)
    _places: int = PLACES_MIN
    _block_places: int = BLOCK_PLACES_MIN
    #: By kind of row, for what stretches of time it was given: (start, end) -> the file.
    _buckets: defaultdict[str, dict[tuple[int, int], str]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _spans: set[Days] = field(default_factory=set)
    _left_out: dict[str, list[Decimal]] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)

    def add(
        self,
        days: Days,
        provider: str,
        model: str,
        billed_as: str,
        *,
        service_tier: str = "",
        context: Context = ANY_CONTEXT,
        quantity: int | None = None,
        amount: Decimal | None = None,
    ) -> None:
        """Add a row's quantity, amount or both; None is not told, which is not 0."""
        key = Key(days, provider, model, billed_as, service_tier, context)
        sums = self._sums.setdefault(key, _Sums())
        if quantity is not None:
            sums.quantity = quantity + (sums.quantity or 0)
        if amount is not None:
            self.add_amount(key, amount)

    def add_amount(self, key: Key, amount: Decimal) -> None:
        """Add an amount, which may be rounded by itself."""
        sums = self._sums.setdefault(key, _Sums())
        # Of trailing zeros there may be thirty; sums would lose digits to them.
        sums.amount = amount.normalize() + (sums.amount or 0)
        sums.amounts += 1
        self._places = max(self._places, _places(amount))

    def add_blocks(self, key: Key, blocks: Decimal, size: Decimal) -> None:
        """Add a quantity that is told in blocks of so many, and may be rounded so."""
        sums = self._sums.setdefault(key, _Sums())
        whole = int((blocks * size).to_integral_value(ROUND_HALF_EVEN))
        sums.quantity = whole + (sums.quantity or 0)
        sums.blocks += size
        self._block_places = max(self._block_places, _places(blocks))

    def add_requests(self, days: Days, provider: str, model: str, count: int) -> None:
        """Count requests; that none were told is another thing than 0 of them."""
        self._requests[days, provider, model] += count

    def leave_out(self, what: str, amount: Decimal | None = None) -> None:
        """Count a row that nothing metered can be held against."""
        self._left_out.setdefault(what, []).append(Decimal(0) if amount is None else amount)

    def note(self, text: str) -> None:
        """Keep a remark for the report, once."""
        if text not in self._notes:
            self._notes.append(text)

    def see_currency(self, currency: str) -> None:
        """Take the currency of an amount; raises `ConfigurationError` for a second one."""
        self._currencies.setdefault(currency.upper(), self.document)
        if len(self._currencies) > 1:
            raise ConfigurationError(
                f"{self.document}: amounts in {' and '.join(self._currencies)}: give a file for"
                " each currency, and reconcile them one by one"
            )

    def cover(self, kind: str, start: int, end: int) -> None:
        """Note that rows of this kind speak of the time from ``start`` to ``end`` (Unix seconds).

        Raises `ConfigurationError` if another file did already: they would count twice.
        """
        document = self._buckets[kind].setdefault((start, end), self.document)
        if document != self.document:
            raise ConfigurationError(
                f"{self.document} and {document} both have {kind} of"
                f" {datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M} UTC: give each page once"
            )

    def cover_days(self, days: Days) -> None:
        """Note that the export speaks of these days; days between those named are covered too."""
        self._spans.add(days)

    def build(self) -> Bill:
        """Give the bill. Lines of days that are not whole are left away, with a note."""
        covered = self._covered()
        lines: dict[Key, Billed] = {}
        broken: set[Days] = set()
        for key, sums in self._sums.items():
            if key.days in covered:
                slack = int((sums.blocks / 2).scaleb(-self._block_places))
                lines[key] = Billed(sums.quantity, slack, sums.amount, sums.amounts)
            else:
                broken.add(key.days)
        notes = list(self._notes)
        if broken:
            days = ", ".join(map(str, sorted(broken)))
            notes.append(f"{self.format}: not compared, for the export has only a part: {days}")
        return Bill(
            format=self.format,
            currency=next(iter(self._currencies), ""),
            places=self._places,
            covered=tuple(sorted(covered)),
            providers=frozenset(
                [key.provider for key in lines] + ([] if self.provider is None else [self.provider])
            ),
            lines=lines,
            requests={key: n for key, n in self._requests.items() if key[0] in covered},
            left_out=tuple(
                LeftOut(what, len(amounts), sum(amounts, Decimal(0)))
                for what, amounts in sorted(self._left_out.items())
            ),
            notes=tuple(notes),
        )

    def _covered(self) -> set[Days]:
        """Days that are whole for every kind of row that was given, and spans of several days."""
        wholes = [_whole_days(buckets) for buckets in self._buckets.values()]
        found = {one_day(day) for day in set.intersection(*wholes)} if wholes else set()
        singles = [one.first for one in self._spans if one.end - one.first == DAY]
        if singles:
            first, last = min(singles), max(singles)
            found |= {one_day(first + DAY * n) for n in range((last - first).days + 1)}
        return found | {one for one in self._spans if one.end - one.first > DAY}


def _places(number: Decimal) -> int:
    """Count the decimals that a number needs."""
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "numbers are finite: `Row.decimal` refuses others"
    return -exponent


def _whole_days(buckets: dict[tuple[int, int], str]) -> set[date]:
    """Days in UTC of which no second is missing in these stretches of time."""
    seconds: Counter[date] = Counter()
    for start, end in _merged(sorted(buckets)):
        at = start
        while at < end:
            day = datetime.fromtimestamp(at, UTC).date()
            next_day = int(
                datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + DAY_SECONDS
            )
            seconds[day] += min(end, next_day) - at
            at = next_day
    return {day for day, count in seconds.items() if count == DAY_SECONDS}


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches that touch or overlap; they are ascending."""
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def days_of(start: datetime, end: datetime, where: str) -> Days:
    """Give the days in UTC of a charge period: the one that it lies in, or several whole ones.

    Raises `ConfigurationError` for a period that is neither.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if end <= start:
        raise ConfigurationError(f"{where}: the period ends at {end} and begins at {start}")
    last = (end - timedelta(microseconds=1)).date()
    if last == start.date():
        return one_day(last)
    whole = (start.hour, start.minute, start.second, end.hour, end.minute, end.second)
    if any(whole):
        raise ConfigurationError(
            f"{where}: the period from {start} to {end} is no whole number of UTC days: export by"
            " hour or by day"
        )
    return Days(start.date(), end.date())
