"""What must hold between the tables, without the log: counts add up, families agree.

The meter writes while it is read, so two sums are never of one moment. But a row says below which
offset its totals are complete, and at a checkpoint all rows of its partition are level: so of rows
whose versions are not beyond a checkpoint that was read *before* them, the sums must agree, and
what was written since is looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from services.audit.event import MEASURES
from services.audit.findings import Difference
from services.audit.stored import read_checkpoints
from services.audit.stored_rows import FAMILIES, NAMES, Checkpoint, Family, Place, Windows
from services.platform.clickhouse import all_rows

#: Hours are kept for 400 days and dropped by the month: with one this old, some may be missing.
COMPARABLE_DAYS: Final = 365
#: Minutes are kept for 90 days; younger ones are all there.
MINUTES_DAYS: Final = 88
ROUNDS: Final = 12
PAUSE_SECONDS: Final = 0.7
#: Differences that are named; beyond, something is wrong with all of it.
NAMED_MAX: Final = 10_000

NO_KEY: Final = (0, "", "", "", "")
SUMS: Final = ", ".join(f"sum(toUInt128({name})) AS {name}" for name in MEASURES)


@dataclass(frozen=True, slots=True)
class Unequal:
    """A key of which two sums differ, and the highest version of the rows under them."""

    place: Place
    version: int
    #: window, entry, region, provider, model
    key: tuple[int, str, str, str, str]
    expected: Sequence[int]
    found: Sequence[int]


def count_differences(checkpoints: Iterable[Checkpoint]) -> Iterator[Difference]:
    """Hold each checkpoint against itself."""
    for one in checkpoints:
        where = {"log": one.log, "partition": one.partition}
        settled = one.accepted + one.duplicate + sum(one.rejected.values())
        if one.received != settled:
            yield Difference(
                "received = accepted + duplicate + rejected",
                *("received", settled, one.received),
                **where,  # type: ignore[arg-type]
            )
        if one.late > one.accepted:
            yield Difference(
                "late events are accepted ones",
                "late",
                one.accepted,
                one.late,
                **where,  # type: ignore[arg-type]
            )
        if one.start_offset + one.received > one.next_offset:
            yield Difference(
                "no more records than offsets",
                *("received", one.next_offset - one.start_offset, one.received),
                **where,  # type: ignore[arg-type]
            )


def settled(
    client: Client,
    find: Callable[[Mapping[Place, Checkpoint]], list[Unequal]],
    pause: Callable[[float], None] = time.sleep,
) -> tuple[list[Unequal], int]:
    """Ask which keys differ until each either agrees or differs where nothing moves.

    Returns what differs, and how many moved in every round.
    """
    certain: dict[tuple[Any, ...], Unequal] = {}
    moving: list[Unequal] = []
    for number in range(ROUNDS):
        if number:
            pause(PAUSE_SECONDS)
        checkpoints = read_checkpoints(client)
        moving = []
        for one in find(checkpoints):
            if one.version <= _level(checkpoints, one.place):
                certain[(one.place, one.key)] = one
            else:
                moving.append(one)
        if not moving:
            break
    left = {(one.place, one.key) for one in moving} - certain.keys()
    return list(certain.values()), len(left)


def accepted_against_registers(client: Client) -> tuple[list[Unequal], int]:
    """Hold what each checkpoint accepted against the events in the registers."""

    def find(checkpoints: Mapping[Place, Checkpoint]) -> list[Unequal]:
        rows = all_rows(
            client,
            "SELECT log, partition, max(version), sum(toUInt128(requests))"
            " FROM slices_register FINAL GROUP BY log, partition",
            {},
        )
        events = {(log, partition): (version, total) for log, partition, version, total in rows}
        return [
            Unequal(place, events[place][0], NO_KEY, [one.accepted], [events[place][1]])
            for place, one in checkpoints.items()
            if events.setdefault(place, (0, 0))[1] != one.accepted
        ]

    return settled(client, find)


def registers_against_hours(client: Client) -> tuple[list[Unequal], int] | None:
    """Hold registers against the sum of their hours; None where hours may be missing."""
    if leaves_out(client, "hour"):
        return None
    ((oldest, rows),) = all_rows(
        client, "SELECT min(toDate(window_start)), count() FROM slices_hour", {}
    )
    if not comparable(oldest if rows else None, datetime.now(UTC).date()):
        return None
    register, _, hour, _ = FAMILIES
    return settled(client, lambda _: _unequal(client, (register, "1", "0"), (hour, "1", "0")))


def hours_against_minutes(client: Client, windows: Windows) -> tuple[list[Unequal], int] | None:
    """Hold each hour against the sum of its minutes, as far back as minutes are surely kept.

    None where minutes may be missing everywhere.
    """
    if leaves_out(client, "minute"):
        return None
    _, minute, hour, _ = FAMILIES
    kept = int((datetime.now(UTC) - timedelta(days=MINUTES_DAYS)).timestamp()) // 3600 * 3600
    # Whole hours only: half of one has no sum to be held against.
    since = max(-(-windows.since // 3600) * 3600, kept)
    whole = Windows(since, max(since, windows.until // 3600 * 3600))
    return settled(
        client,
        lambda _: _unequal(
            client,
            (hour, whole.condition(hour), "toUnixTimestamp(window_start)"),
            (minute, whole.condition(minute), "toUnixTimestamp(toStartOfHour(window_start))"),
        ),
    )


def leaves_out(client: Client, family: str) -> bool:
    """Whether an event may come so late that it is metered, but not in its window of this family.

    So it is where a rule lets in older events than the windows it keeps.
    """
    ((rules,),) = all_rows(
        client,
        f"SELECT count() FROM metering_rules FINAL WHERE {family}_retention_ms < too_old_ms",
        {},
    )
    return bool(rules)


def contradictions(client: Client, family: Family, windows: Windows) -> list[Difference]:
    """Find rows of one slice and version whose totals differ: not both were made of the log."""
    totals = f"sipHash64({', '.join(family.measures)})"
    names = ", ".join([NAMES, *family.variety])
    rows = all_rows(
        client,
        f"SELECT {family.key}, toString(entry) AS e, {names}, log, partition, version, count()"
        f" FROM {family.table} WHERE {windows.condition(family)}"
        f" GROUP BY w, t, e, {names}, log, partition, version"
        f" HAVING min({totals}) != max({totals}) LIMIT {NAMED_MAX}",
        {},
    )
    return [
        Difference(
            *("equal version, equal totals", "rows", 1, int(count)),
            view=family.table,
            window=int(row[0]) if family.has_window else None,
            tenant=row[1],
            entry=row[2],
            **dict(zip(("region", "provider", "model"), row[3:6], strict=True)),
            variety=" ".join(str(one) for one in row[6:-3] if one),
            log=row[-3],
            partition=int(row[-2]),
            offset=int(row[-1]),
        )
        for *row, count in rows
    ]


def comparable(oldest: date | None, today: date) -> bool:
    """Whether no hour can have been dropped yet."""
    return oldest is None or (today - oldest).days < COMPARABLE_DAYS


def as_differences(
    check: str, view: str, found: Iterable[Unequal], measures: Sequence[str]
) -> Iterator[Difference]:
    """Name each measure that differs."""
    for one in found:
        log, partition = one.place
        window, entry, region, provider, model = one.key
        for measure, expected, amount in zip(measures, one.expected, one.found, strict=True):
            if expected != amount:
                yield Difference(
                    check,
                    measure,
                    int(expected),
                    int(amount),
                    view=view,
                    window=window or None,
                    region=region,
                    provider=provider,
                    model=model,
                    entry=entry,
                    log=log,
                    partition=partition,
                )


def _unequal(
    client: Client, one: tuple[Family, str, str], other: tuple[Family, str, str]
) -> list[Unequal]:
    """Sum two families by partition, window and series, and give the keys whose sums differ."""
    parts = [
        f"SELECT log, partition, {window} AS w, toString(entry) AS e, {NAMES},"
        f" max(version) AS v, {SUMS}, {side} AS side FROM {family.table} FINAL WHERE {condition}"
        f" GROUP BY log, partition, w, e, {NAMES}"
        for side, (family, condition, window) in enumerate((one, other))
    ]
    first = ", ".join(f"sumIf(toUInt128({name}), side = 0)" for name in MEASURES)
    second = ", ".join(f"sumIf(toUInt128({name}), side = 1)" for name in MEASURES)
    rows = all_rows(
        client,
        f"SELECT log, partition, w, e, {NAMES}, max(v), ({first}) AS x, ({second}) AS y"
        f" FROM ({' UNION ALL '.join(parts)}) GROUP BY log, partition, w, e, {NAMES}"
        f" HAVING x != y LIMIT {NAMED_MAX}",
        {},
    )
    return [Unequal((row[0], row[1]), row[7], row[2:7], row[8], row[9]) for row in rows]


def _level(checkpoints: Mapping[Place, Checkpoint], place: Place) -> int:
    checkpoint = checkpoints.get(place)
    return -1 if checkpoint is None else checkpoint.next_offset
