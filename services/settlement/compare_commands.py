"""`wattoken compare-runs`: what two runs of a month differ by, bill by bill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from clickhouse_connect.driver.client import Client

from services.billing.exact import written
from services.billing.periods import Period, parse_period
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, read_settings
from services.settlement.canonical import decimal_text
from services.settlement.comparison import Amounts, Bill, Change, Comparison, Line, Why
from services.settlement.cut import must_follow
from services.settlement.difference import compare
from services.settlement.moved_queries import read_moved
from services.settlement.runs import RUNS, parse_run
from services.settlement.store import Run, StoredBill, made_of, read_bill, read_bills, read_runs
from services.settlement.stored_bill import read_bill_file

ANSWER_SECONDS = 600.0


def compare_runs(
    period: str, first: str, second: str, *, tenant: str | None, as_json: bool
) -> bool:
    """Compare two runs and print it; whether all is explained.

    Raises `ConfigurationError` where a run is not settled, `UnavailableError`.
    """
    month, names = parse_period(period), (parse_run(first), parse_run(second))
    if RUNS.index(names[0]) >= RUNS.index(names[1]):
        raise ConfigurationError(f"{names[0]} does not come before {names[1]}: give them in order")
    with migrated_database(
        read_settings(ClickHouseSettings), answer_seconds=ANSWER_SECONDS
    ) as client:
        old, new = _runs(client, month, names)
        found = list(_compared(client, month, old, new, tenant))
    if as_json:
        print(json.dumps(_document(old, new, found), indent=2))
    else:
        _say(old, new, found)
    return all(one.explained for one in found)


def _runs(client: Client, month: Period, names: tuple[str, str]) -> tuple[Run, Run]:
    made = made_of(read_runs(client), month.start)
    for name in names:
        if name not in made:
            raise ConfigurationError(
                f"{name} of {month.start:%Y-%m} is not settled; what is:"
                f" {', '.join(made) or 'nothing'}"
            )
    old, new = (made[name] for name in names)
    must_follow(new.offsets, old.offsets, old.run)
    return old, new


def _compared(
    client: Client, month: Period, old: Run, new: Run, tenant: str | None
) -> Iterator[Comparison]:
    bills = [{one.tenant: one for one in read_bills(client, run)} for run in (old, new)]
    tenants = sorted({*bills[0], *bills[1]} if tenant is None else {tenant})
    for name in tenants:
        if name not in bills[0] and name not in bills[1]:
            raise ConfigurationError(f"{name!r} has no bill in {old.run} or {new.run}")
        before, after = (_bill(client, of.get(name)) for of in bills)
        moved = read_moved(client, month, name, old.offsets, new.offsets)
        yield compare(name, before, after, moved)


def _bill(client: Client, stored: StoredBill | None) -> Bill:
    return Bill((), ()) if stored is None else read_bill_file(read_bill(client, stored))


def _say(old: Run, new: Run, found: list[Comparison]) -> None:
    say(f"{new.name} against {old.run}")
    for one in found:
        say(f"{one.tenant}: {_money(one.old)} → {_money(one.new)}, {_signed(one.amounts)}")
        for cause, change in one.by_cause.items():
            if change.quantity or change.amounts:
                say(f"  {cause}: {change.quantity:+,} tokens, {_signed(change.amounts)}")
        for line in one.lines:
            say(f"  {_title(line)}: {line.quantity:+,}, {_signed(line.amounts)}")
            for why, change in sorted(line.causes.items(), key=lambda item: _order(item[0])):
                say(f"    {_told(why)}: {change.quantity:+,}, {_signed(change.amounts)}")
            if line.unexplained_quantity or line.unexplained:
                left = f"{line.unexplained_quantity:+,}, {_signed(line.unexplained)}"
                say(f"    UNEXPLAINED: {left}")
        if one.unexplained:
            say(f"  UNEXPLAINED of the total: {_signed(one.unexplained)}")
    bad = [one.tenant for one in found if not one.explained]
    if bad:
        say(
            f"not explained: {len(bad):,} of {len(found):,} bills, {', '.join(bad[:10])}."
            " docs/settlement.md says what that may be",
            err=True,
        )
    else:
        say(f"all of it is explained, on each of {len(found):,} bills")


def _title(line: Line) -> str:
    usage = line.name.usage
    if line.name.demand:
        return f"demand {usage.region}, tokens/s"
    band = f">{usage.band}" if usage.band else ""
    labels = (usage.region, usage.provider, usage.model, usage.entry, usage.tier, band)
    what = line.name.unit or line.name.token_class
    return " · ".join(part for part in (*labels, what) if part)


def _told(why: Why) -> str:
    parts = (why.cause, "" if why.day is None else why.day.isoformat(), why.who, why.note)
    return " ".join(part for part in parts if part)


def _order(why: Why) -> tuple[str, str, str, str]:
    return why.cause, "" if why.day is None else why.day.isoformat(), why.who, why.note


def _money(amounts: Amounts) -> str:
    told = [f"{name} {written(amount)}" for name, amount in sorted(amounts.items())]
    return " + ".join(told) or "nothing"


def _signed(amounts: Amounts) -> str:
    told = [
        f"{name} {'+' if amount > 0 else ''}{written(amount)}"
        for name, amount in sorted(amounts.items())
        if amount
    ]
    return ", ".join(told) or "no money"


def _document(old: Run, new: Run, found: list[Comparison]) -> dict[str, Any]:
    return {
        "period": f"{new.period_start:%Y-%m}",
        "from": {"run": old.run, "cut": old.offsets.hash, "catalogue": old.catalogue},
        "to": {"run": new.run, "cut": new.offsets.hash, "catalogue": new.catalogue},
        "explained": all(one.explained for one in found),
        "tenants": [
            {
                "tenant": one.tenant,
                "old": _amounts(one.old),
                "new": _amounts(one.new),
                "difference": _amounts(one.amounts),
                "causes": {cause: _change(change) for cause, change in one.by_cause.items()},
                "unexplained": _amounts(one.unexplained),
                "lines": [_line(line) for line in one.lines],
            }
            for one in found
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    causes = sorted(line.causes.items(), key=lambda item: _order(item[0]))
    return {
        "line": "demand" if line.name.demand else "charges",
        **line.name.usage._asdict(),
        **{"class": line.name.token_class, "unit": line.name.unit},
        "old": _change(line.old),
        "new": _change(line.new),
        "causes": [
            {
                "cause": why.cause,
                "day": None if why.day is None else why.day.isoformat(),
                "who": why.who,
                "note": why.note,
                **_change(change),
            }
            for why, change in causes
        ],
        "unexplained": {
            "quantity": str(line.unexplained_quantity),
            "amounts": _amounts(line.unexplained),
        },
    }


def _change(change: Change) -> dict[str, Any]:
    return {"quantity": str(change.quantity), "amounts": _amounts(change.amounts)}


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {name: decimal_text(amount) for name, amount in sorted(amounts.items())}
