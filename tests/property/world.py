"""A model of Kafka and ClickHouse for the real core, and an oracle that knows only the log.

The sink keeps every version of every row, as unmerged parts would, and refuses two rows of one
key and version with distinct totals. Every call on it is a step at which a worker can be stopped
forever (a crash) or for a while (a zombie), an insert in the middle of its rows.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules
from services.aggregator.arrays.byte_spans import Words
from services.aggregator.arrays.cuts import Cut
from services.aggregator.arrays.key_index import Ints
from services.aggregator.core.dedup import Sightings
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, Snapshot
from services.aggregator.core.runs import Settled, Stretch, usable
from services.aggregator.core.series_limit import Admission
from services.aggregator.core.slice_keys import pack, unpack, varieties
from services.aggregator.core.slices import SliceRows
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import FAMILY_BY_NAME, Family
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels, Series
from services.aggregator.meter import Meter
from services.aggregator.recovery import Edges, Keep
from services.platform.kafka_log import Log

Totals = tuple[int, ...]


class Adjusted(NamedTuple):
    """A debit or credit, as a table has it."""

    id: str
    tenant: str
    series: Series
    price_class: tuple[Any, ...]
    tokens: int


class SliceKey(NamedTuple):
    """A slice key by name, as a table has it."""

    window_start_ms: int
    tenant: str
    series: Series
    #: A price class or a unit, where the family keeps them apart.
    variety: tuple[Any, ...] = ()


T0_MS = int(datetime(2026, 3, 15, 12, 0, tzinfo=UTC).timestamp() * 1000)
HORIZON_MS = 10_000
#: So long an id makes duplicates: a broker's clock may step by 25 hours.
WITHIN_MS = HORIZON_MS + 25 * HOUR_MS
RULES = MeteringRules(
    too_old_ms=6 * HOUR_MS,
    too_new_ms=MINUTE_MS,
    late_after_ms=MINUTE_MS,
    dedup_horizon_ms=HORIZON_MS,
    series_max=2,
    unused_series_max=1,
    context_thresholds=(3, 7),
)
KEEP = Keep(minutes_ms=2 * MINUTE_MS, hours_ms=HOUR_MS, ids=2)


@dataclass
class ModelLog:
    """One incarnation of a one-partition topic."""

    name: str
    records: list[tuple[int, bytes]] = field(default_factory=list)

    def read(self, start: int, count: int) -> Records:
        chosen = self.records[start : start + count]
        return Records(
            np.arange(start, start + len(chosen), dtype=np.int64),
            np.array([append_ms for append_ms, _ in chosen], np.int64),
            [value for _, value in chosen],
        )


class ModelOffsets:
    """`LogOffsets` over a model log."""

    def __init__(self, log: ModelLog) -> None:
        self._log = log

    def starts(self, partitions: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 0)

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, len(self._log.records))

    def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        return {}

    def at(self, times_ms: Mapping[int, int]) -> dict[int, int]:
        return {
            partition: next(
                (
                    offset
                    for offset, (append_ms, _) in enumerate(self._log.records)
                    if append_ms >= time_ms
                ),
                -1,
            )
            for partition, time_ms in times_ms.items()
        }


class Crash(BaseException):
    """A process dies in the middle of what it does."""


@dataclass(frozen=True)
class ModelRun:
    """A run of ids on a model of a disk."""

    stretch: Stretch
    seen_ms: dict[bytes, int]


class ModelStores:
    """A machine's disk: the runs that workers wrote there, by log."""

    def __init__(self) -> None:
        self.runs: dict[str, list[ModelRun]] = defaultdict(list)


class ModelStore:
    """`Stores` and `OlderIds` over a disk; can die with a run written."""

    def __init__(self, disk: ModelStores, log: str) -> None:
        self._disk = disk
        self._log = log
        self.dies_behind_a_run = False
        self.end: Cut | None = None

    def open(
        self, partition: int, settled: Settled, start: int, copies: object = None
    ) -> ModelStore:
        runs = usable(self._disk.runs[self._log], settled, start)
        self._disk.runs[self._log] = runs
        self.end = runs[-1].stretch.end if runs else None
        return self

    @property
    def lost(self) -> bool:
        return False

    def last_seen(self, ids: Words, below: int) -> Ints:
        runs = [run for run in self._disk.runs[self._log] if run.stretch.begin.offset < below]
        return np.array(
            [max((run.seen_ms.get(row.tobytes(), -1) for run in runs), default=-1) for row in ids],
            np.int64,
        )

    def keep(self, sightings: Sightings) -> bool:
        names = [row.tobytes() for row in sightings.ids]
        assert len(set(names)) == len(names)
        times_ms = sightings.seen_ms.tolist()
        first_ms, last_ms = min(times_ms, default=0), max(times_ms, default=0)
        stretch = Stretch(sightings.begin, sightings.end, first_ms, last_ms, len(names))
        run = ModelRun(stretch, dict(zip(names, times_ms, strict=True)))
        self._disk.runs[self._log].append(run)
        self.end = sightings.end
        if self.dies_behind_a_run:
            raise Crash
        return True

    def tidy(self, settled: Settled) -> bool:
        runs = self._disk.runs[self._log]
        runs[:] = [run for run in runs if run.stretch.end.log_ms > settled.past_ms]
        return False

    def close(self) -> None:
        """The disk stays."""


class Database:
    """Every version of every row ever inserted, as ReplacingMergeTree may still hold them."""

    def __init__(self) -> None:
        self.slices: dict[tuple[str, str, SliceKey], dict[int, Totals]] = defaultdict(dict)
        self.checkpoints: dict[str, dict[int, Checkpoint]] = defaultdict(dict)
        self.dead_letters: dict[tuple[str, int], str] = {}
        self.adjustments: dict[tuple[str, int], Adjusted] = {}
        self.admissions: dict[str, dict[tuple[Series, bool], int]] = defaultdict(dict)

    def backup(self) -> Database:
        return copy.deepcopy(self)

    def insert_slice(
        self, log: str, family: str, key: SliceKey, version: int, totals: Totals
    ) -> None:
        # What is left out is 0, as in a table.
        totals = (*totals, *[0] * (len(FAMILY_BY_NAME[family].measures) - len(totals)))
        versions = self.slices[log, family, key]
        assert versions.get(version, totals) == totals, (
            f"two rows of {key} with version {version}: {versions[version]} and {totals}"
        )
        versions[version] = totals

    def current(self, log: str, family: str) -> dict[SliceKey, tuple[Totals, int]]:
        return {
            key: (versions[max(versions)], max(versions))
            for (name, kind, key), versions in self.slices.items()
            if name == log and kind == family
        }

    def view(self, family: str) -> dict[SliceKey, Totals]:
        sums: dict[SliceKey, Totals] = {}
        for name in {log for log, _, _ in self.slices}:
            for key, (totals, _) in self.current(name, family).items():
                before = sums.get(key, (0,) * len(totals))
                sums[key] = tuple(map(sum, zip(before, totals, strict=True)))
        return {key: totals for key, totals in sums.items() if any(totals)}


class ModelSink:
    """`ClickHouseSink` over the model database."""

    def __init__(self, world: World, log_name: str, labels: Labels) -> None:
        self._world = world
        self._log = log_name
        self._labels = labels
        #: How many rows the next insert writes before it is stopped; None: all.
        self.rows_before_stop: int | None = None

    @property
    def _database(self) -> Database:
        return self._world.database

    def write_rows(self, snapshots: Iterable[Snapshot]) -> None:
        left = self.rows_before_stop
        for snapshot in snapshots:
            version = snapshot.checkpoint.next_offset
            for family, rows in snapshot.rows.items():
                for number, totals in sorted(rows.items()):
                    key = self._named(FAMILY_BY_NAME[family], number)
                    if left is not None:
                        if left == 0:
                            return
                        left -= 1
                    self._database.insert_slice(self._log, family, key, version, totals)
            self.write_admissions(snapshot.partition, snapshot.admissions)
            for letter in snapshot.dead_letters:
                self._database.dead_letters[self._log, letter.offset] = letter.reason
            self._write_adjustments(snapshot)

    def _write_adjustments(self, snapshot: Snapshot) -> None:
        for one in snapshot.adjustments:
            row = Adjusted(
                one.event.id,
                one.event.tenant,
                self._labels.series.meaning[one.series],
                self._labels.classes.meaning[one.price_class],
                one.event.input_tokens,
            )
            held = self._database.adjustments.setdefault((self._log, one.offset), row)
            assert held == row, f"two rows at {one.offset}: {held} and {row}"

    def write_admissions(self, partition: int, admissions: Sequence[Admission]) -> None:
        for one in admissions:
            admitted = self._labels.series.meaning[one.series], one.used
            held = self._database.admissions[self._log].setdefault(admitted, one.offset)
            assert held == one.offset, f"{admitted} was admitted at {held} and at {one.offset}"

    def read_admissions(self, partitions: Sequence[int]) -> dict[int, list[Admission]]:
        rows = self._database.admissions[self._log].items()
        number = self._labels.series.number
        return {0: [Admission(number(series), used, at) for (series, used), at in rows]}

    def write_checkpoints(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        for checkpoint in checkpoints.values():
            rows = self._database.checkpoints[self._log]
            at = checkpoint.next_offset
            assert rows.get(at, checkpoint) == checkpoint, f"{rows[at]} and {checkpoint}"
            rows[at] = checkpoint

    def _newest(self) -> Checkpoint | None:
        rows = self._database.checkpoints[self._log]
        return rows[max(rows)] if rows else None

    def read_offsets(self) -> dict[int, int]:
        newest = self._newest()
        return {} if newest is None else {0: newest.next_offset}

    def read_checkpoints(self, partitions: Sequence[int]) -> dict[int, Checkpoint]:
        newest = self._newest()
        return {} if newest is None else {0: newest}

    def read_starts(self, partitions: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 0)

    def read_rules(self, partitions: Sequence[int]) -> dict[int, RuleBook]:
        return dict.fromkeys(partitions, RuleBook(((0, RULES),)))

    def _named(self, family: Family, number: int) -> SliceKey:
        key = unpack(family, self._labels, np.array([number]))
        tenant, variety = "", ()
        if key.tenants is not None and key.varieties is not None:
            tenant = self._labels.tenants.meaning[int(key.tenants[0])]
            variety = varieties(family, self._labels).meaning[int(key.varieties[0])]
        series = self._labels.series.meaning[int(key.series[0])]
        return SliceKey(family.window_start_ms(int(key.windows[0])), tenant, series, variety)

    def _numbered(self, family: Family, key: SliceKey) -> int:
        window = family.window_number(key.window_start_ms)
        tenant = self._labels.tenants.number(key.tenant)
        series = self._labels.series.number(key.series)
        variety = varieties(family, self._labels).number(key.variety) if key.variety else 0
        numbers = (np.array([number]) for number in (window, tenant, series, variety))
        return int(pack(family, self._labels, *numbers)[0])

    def _rows(self, family: Family, keys: Iterable[SliceKey]) -> tuple[SliceRows, Ints]:
        current = self._database.current(self._log, family.name)
        chosen = [key for key in keys if key in current]
        if not chosen:
            return SliceRows(*no_rows(family)), np.empty(0, np.int64)
        return (
            SliceRows(
                np.array([self._numbered(family, key) for key in chosen], np.int64),
                np.array([current[key][0] for key in chosen], np.int64),
            ),
            np.array([current[key][1] for key in chosen], np.int64),
        )

    def read_slices(
        self, family: Family, partition: int, first_window: int
    ) -> tuple[SliceRows, Ints]:
        first_ms = family.window_start_ms(first_window)
        current = self._database.current(self._log, family.name)
        return self._rows(family, [key for key in current if key.window_start_ms >= first_ms])

    def find_contradiction(self, family: Family, partition: int, first_window: int) -> str | None:
        return None  # Two distinct rows never get in: see `Database.insert_slice`.

    def look_up(self, family_name: str, partition: int, keys: Ints) -> tuple[SliceRows, Ints]:
        family = FAMILY_BY_NAME[family_name]
        return self._rows(family, [self._named(family, key) for key in keys.tolist()])


def no_rows(family: Family) -> tuple[Ints, Ints]:
    return np.empty(0, np.int64), np.empty((0, len(family.measures)), np.int64)


class Step:
    """Awaited before every call on a sink: where a worker can be stopped."""

    def __await__(self) -> Generator[Step, None, None]:
        yield self


class SteppedCalls:
    """`SinkCalls` that stops before each call, and after part of an insert where told so."""

    away = False

    def __init__(self, sink: ModelSink) -> None:
        self.sink = sink

    async def call(self, work: Callable[[Any], Any]) -> Any:
        await Step()
        if self.sink.rows_before_stop is not None:
            work(self.sink)
            self.sink.rows_before_stop = None
            # Stopped in the middle of the insert; whoever goes on from here writes it whole.
            await Step()
        return work(self.sink)


class SteppedIds:
    """`IdCalls` that stops before each call."""

    async def call(self, work: Callable[[], Any]) -> Any:
        await Step()
        return work()


class Worker:
    """The real meter over the model, run step by step."""

    def __init__(self, world: World, disk: ModelStores) -> None:
        self.disk = disk
        self.log = world.log
        name = world.name_of(self.log)
        labels = Labels()
        self.sink = ModelSink(world, name, labels)
        # Zombies are on other machines: no two processes ever have one disk at once.
        self.store = ModelStore(disk, name)
        edges = Edges(
            Log("cluster", name, "usage.events.v1", 1),
            ModelOffsets(self.log),  # type: ignore[arg-type]
            self.store,
            KEEP,
            Decoder(labels),
        )
        self.meter = Meter(
            edges,
            SteppedCalls(ModelSink(world, name, labels)),
            SteppedCalls(self.sink),
            10_000,
            lambda partition, next_offset: None,
            ids=SteppedIds(),
            tidier=SteppedIds(),
        )
        self.paused: Coroutine[Any, Any, Any] | None = None
        run(self.meter.recover([0], lambda: False))

    def read(self, count: int, skip: int = 0) -> Coroutine[Any, Any, bool] | None:
        """Begin to consume the next records; None where there are none or no state.

        ``skip`` records before them are lost on their way from the fetcher.
        """
        position = self.meter.positions().get(0)
        if position is None:
            return None
        records = self.log.read(position + skip, count)
        if not len(records):
            return None
        first = int(records.offsets[0])
        return self.meter.consume(0, first, records, first + len(records))


def run(work: Coroutine[Any, Any, Any], steps: int | None = None) -> bool:
    """Run a coroutine for so many steps, or to its end; True when it ended."""
    try:
        while steps is None or steps > 0:
            work.send(None)
            if steps is not None:
                steps -= 1
    except StopIteration:
        return True
    return False


class World:
    """Logs, database, and what the oracle says of them."""

    def __init__(self) -> None:
        self.now_ms = T0_MS
        self.logs = [ModelLog("topic-0")]
        self.database = Database()
        #: Planted bug "topic id ignored": all logs share one name.
        self.one_name = False

    @property
    def log(self) -> ModelLog:
        return self.logs[-1]

    def name_of(self, log: ModelLog) -> str:
        return "topic" if self.one_name else log.name

    def append(self, values: Iterable[bytes]) -> None:
        for value in values:
            self.log.records.append((self.now_ms, value))


def event(identity: int, time_ms: int, tokens: int, **more: Any) -> bytes:
    """A usage event as a record; ``identity`` picks its id, tenant and model."""
    fields = {
        "id": f"id-{identity}",
        "source": "gateway",
        "tenant": f"tenant-{identity % 2}",
        "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "region": "eu",
        "provider": "p",
        "model": f"m-{identity % 3}",
        "input_tokens": tokens,
        "output_tokens": min(tokens, 1),
        **more,
    }
    return json.dumps(fields).encode()


#: What an event may say beside the usual, by its tokens; images are used with and without tokens.
CLOSER: list[dict[str, Any]] = [
    {"images": 2},
    {},
    {"entry": "debit", "adjusts": "id-0", "reason": "why"},
    {"audio_input_tokens": 1},
    {"service_tier": "batch", "images": 1, "pages": 3},
    {"service_tier": "standard", "image_output_tokens": 1},
    {"entry": "credit", "adjusts": "id-0", "reason": "why", "service_tier": "batch"},
    {"service_tier": "batch"},
]


def classed_event(identity: int, time_ms: int, tokens: int) -> bytes:
    """An event whose tokens pick what else it says: so a resend need not say the same."""
    plain = tokens == 0 and identity % 2
    return event(identity, time_ms, tokens, **({} if plain else CLOSER[tokens % len(CLOSER)]))


#: Measures that the oracle adds up; what events append has none of the others.
MEASURED = (
    *("requests", "input_tokens", "output_tokens"),
    *("audio_input_tokens", "image_output_tokens"),
)


@dataclass
class Oracle:
    """Plain sums over the logs: no slices, no versions, no batches."""

    registers: dict[Any, list[int]] = field(default_factory=dict)
    minutes: dict[Any, list[int]] = field(default_factory=dict)
    hours: dict[Any, list[int]] = field(default_factory=dict)
    units: dict[Any, list[int]] = field(default_factory=dict)
    adjustments: dict[tuple[str, int], Adjusted] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass
class Names:
    """Models that one log admitted: such that something was used of, and others."""

    used: set[str]
    unused: set[str]

    def metered_as(self, model: str, used: int) -> str:
        if used and model not in self.used:
            if len(self.used) == RULES.series_max:
                return "other"
            self.unused.discard(model)
            self.used.add(model)
        if not used and model not in self.used | self.unused:
            if len(self.unused) == RULES.unused_series_max:
                return "other"
            self.unused.add(model)
        return model


def label(entry: str, model: str) -> str:
    """What the oracle calls a series: models are apart by entry."""
    return model if entry == "usage" else f"{entry} of {model}"


def oracle(logs: Iterable[ModelLog]) -> Oracle:
    """Work out what must be in the database when everything has been read."""
    truth = Oracle()
    for log in logs:
        counts: dict[str, int] = defaultdict(int)
        sightings: list[tuple[int, str]] = []
        names = Names(set(), set())
        for offset, (append_ms, value) in enumerate(log.records):
            counts["received"] += 1
            try:
                fields = json.loads(value)
                time_ms = round(datetime.fromisoformat(fields["time"]).timestamp() * 1000)
            except (ValueError, KeyError, TypeError):
                counts["rejected"] += 1
                continue
            if append_ms - time_ms > RULES.too_old_ms or time_ms - append_ms > RULES.too_new_ms:
                counts["rejected"] += 1
                continue
            again = any(
                seen == fields["id"] and append_ms - seen_ms < WITHIN_MS
                for seen_ms, seen in sightings
            )
            sightings.append((append_ms, fields["id"]))
            if again:
                counts["duplicate"] += 1
                continue
            counts["accepted"] += 1
            counts["late"] += append_ms - time_ms > RULES.late_after_ms
            inputs, units = fields["input_tokens"], fields.get("images", 0) + fields.get("pages", 0)
            entry = fields.get("entry", "usage")
            named = names.metered_as(label(entry, fields["model"]), inputs + units)
            model = label(entry, "other") if named == "other" else named
            hour = (time_ms // HOUR_MS * HOUR_MS, fields["tenant"], model)
            tier = fields.get("service_tier", "")
            band = 7 if inputs > 7 else 3 if inputs > 3 else 0
            keys: list[tuple[Any, Any]] = [
                (truth.registers, (model,)),
                (truth.minutes, (time_ms // MINUTE_MS * MINUTE_MS, model)),
                (truth.hours, (*hour, *(("", 0) if named == "other" else (tier, band)))),
            ]
            for totals, key in keys:
                sums = totals.setdefault(key, [0] * len(MEASURED))
                for at, name in enumerate(MEASURED):
                    sums[at] += fields.get(name, 0)
                sums[0] += 1
            if entry != "usage":
                series = ("other",) * 3 if named == "other" else ("eu", "p", fields["model"])
                truth.adjustments[log.name, offset] = Adjusted(
                    *(fields["id"], fields["tenant"], Series(entry, *series)),
                    *(("", 0) if named == "other" else (tier, band), inputs),
                )
            for unit in ("images", "pages"):
                if fields.get(unit):
                    truth.units.setdefault((*hour, unit), [0])[0] += fields[unit]
        truth.counts[log.name] = dict(counts)
    return truth
