"""A month to settle: records metered by the real decoder, core and sink, into a real ClickHouse."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from typer.testing import CliRunner

from schemas.metering_rules import DAY_MS, HOUR_MS, MeteringRules
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.storage.clickhouse_sink import ClickHouseSink
from services.cli import app
from services.platform.errors import WattokenError
from services.platform.kafka_log import Log
from tests.docs.blocks import block
from tests.versions.database import Database, DatabaseFactory

LOG: Final = Log("cluster", "topic-id", "usage.events.v1", 2)
#: The month is September 2026: hours of it are kept, and it is over.
PERIOD: Final = "2026-09"
START_MS: Final = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) * 1000
END_MS: Final = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp()) * 1000
#: What output costs by day, and demand of all regions, where nothing else is said.
OUTPUT: Final = 8
DEMAND: Final = "0.5"
CATALOGUE: Final = Path(__file__).with_name("settlement_catalogue")


@dataclass
class Meter:
    """Two partitions, metered batch by batch; what a worker holds of them is kept in between."""

    database: Database
    labels: Labels = field(default_factory=Labels)
    states: dict[int, PartitionState] = field(default_factory=dict)
    thresholds: tuple[int, ...] = (1000,)

    def __post_init__(self) -> None:
        rules = RuleBook(((0, MeteringRules(context_thresholds=self.thresholds)),))
        for partition in range(LOG.partitions):
            decoder = Decoder(self.labels)
            self.states[partition] = PartitionState(
                partition, rules, Checkpoint(0, 0), SliceStore({}), SeenIds(), 0, decoder
            )
        self.sink = ClickHouseSink(self.database.settings, LOG, self.labels)

    def read(self, partition: int, values: Sequence[bytes], append_ms: int) -> None:
        """Meter records, without a flush."""
        state = self.states[partition]
        first = state.next_offset
        offsets = np.arange(first, first + len(values), dtype=np.int64)
        records = Records(offsets, np.full(len(values), append_ms, np.int64), list(values))
        state.fold(state.sift(records))

    def write_rows(self) -> Callable[[], None]:
        """Flush the rows of all partitions; gives what writes their checkpoints."""
        snapshots = [one for state in self.states.values() if (one := state.snapshot())]
        self.sink.write_rows(snapshots)

        def checkpoints() -> None:
            self.sink.write_checkpoints({one.partition: one.checkpoint for one in snapshots})
            for one in snapshots:
                self.states[one.partition].flushed(one)

        return checkpoints

    def flush(self) -> None:
        """Write rows and checkpoints."""
        self.write_rows()()

    def meter(self, partition: int, values: Sequence[bytes], append_ms: int) -> None:
        """Meter records and flush."""
        self.read(partition, values, append_ms)
        self.flush()


def catalogue(folder: Path, *, output: int = OUTPUT, demand: str = DEMAND) -> Path:
    """Write the prices: ``output`` is that of output by day, ``demand`` that of all regions."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (CATALOGUE / "tariffs.yaml").read_text()
    text = text.replace(f"output: {OUTPUT},", f"output: {output},", 1)
    text = text.replace(f"second: {DEMAND},", f"second: {demand},", 1)
    (folder / "tariffs.yaml").write_text(text)
    (folder / "tou.yaml").write_text((CATALOGUE / "tou.yaml").read_text())
    # None of published lists: thousands of prices that nobody here is billed by.
    (folder / "price_lists.jsonl").touch()
    return folder


def fresh(databases: DatabaseFactory, folder: Path, name: str) -> Database:
    """A database with these prices."""
    return databases(name, catalogue(folder))


def reprice(database: Database, **prices: object) -> None:
    """Load other prices, as `wattoken migrate` does."""
    assert database.catalogue_dir is not None
    catalogue(database.catalogue_dir, **prices)  # type: ignore[arg-type]
    database.migrate()


def make_key(folder: Path) -> tuple[Path, Path]:
    """A private key and its public one, as docs/settlement.md says how."""
    folder.mkdir(parents=True, exist_ok=True)
    private, public = folder / "settlement.pem", folder / "settlement.pub.pem"
    commands = block("docs/settlement.md", "sh", "openssl genpkey")
    subprocess.run(["bash", "-euc", commands.text], cwd=folder, check=True)
    return private, public


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    stdout: bytes
    stderr: str


def wattoken(database: Database, *arguments: str | Path, key: Path | None = None) -> Done:
    """Run a command on it, in this process; an error of ours is the line that `main` prints."""
    env = {} if key is None else {"WATTOKEN_SETTLEMENT_KEY_FILE": str(key)}
    ran = CliRunner().invoke(app, [*map(str, arguments)], env={**database.env, **env})
    if isinstance(ran.exception, WattokenError):
        return Done(1, ran.stdout_bytes, str(ran.exception))
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return Done(ran.exit_code, ran.stdout_bytes, ran.stderr)


def at(day: int, hour: int, ms: int = 0) -> int:
    """A moment of the month."""
    return START_MS + (day - 1) * DAY_MS + hour * HOUR_MS + ms
