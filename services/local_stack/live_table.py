"""The demo's live table: what the meter shows while the fleet reports, by its public views."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client
from rich.columns import Columns
from rich.console import Group
from rich.table import Table

from schemas.canary import NO_CANARY_REGION
from services.platform.clickhouse import all_rows
from services.platform.kafka import ExplainingAdmin
from services.platform.kafka_log import Log
from services.platform.terminal import cell
from services.simulator.audit import checkpoint_offsets, end_offsets, meter_counts

#: Demand is shown over this span: long enough to be calm, short enough to be live.
SPAN_SECONDS: Final = 5.0
MODELS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the meter showed at one moment (`at_seconds`, monotonic)."""

    at_seconds: float
    region_tokens: Mapping[str, int]
    model_tokens: Mapping[str, int]
    requests: int
    input_tokens: int
    output_tokens: int
    accepted: int
    duplicate: int
    late: int
    rejected: int
    lag_messages: int


def take_snapshot(client: Client, admin: ExplainingAdmin, log: Log, at_seconds: float) -> Snapshot:
    """Read registers, checkpoints and the log's end."""
    rows = all_rows(
        client,
        "SELECT region, model, requests, input_tokens, output_tokens FROM registers"
        f" WHERE {NO_CANARY_REGION}",
        {},
    )
    regions: Counter[str] = Counter()
    models: Counter[str] = Counter()
    for region, model, _, input_tokens, output_tokens in rows:
        regions[region] += input_tokens + output_tokens
        models[model] += input_tokens + output_tokens
    done = checkpoint_offsets(client, log)
    ends = end_offsets(admin, log)
    counts = meter_counts(client, log)
    return Snapshot(
        at_seconds=at_seconds,
        region_tokens=regions,
        model_tokens=models,
        requests=sum(row[2] for row in rows),
        input_tokens=sum(row[3] for row in rows),
        output_tokens=sum(row[4] for row in rows),
        accepted=counts.accepted,
        duplicate=counts.duplicate,
        late=counts.late,
        rejected=sum(counts.rejected.values()),
        lag_messages=sum(max(0, end - done.get(place, 0)) for place, end in ends.items()),
    )


class LiveTable:
    """Renders the newest snapshot, with demand over the last few seconds."""

    def __init__(self) -> None:
        self._snapshots: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Take a newer snapshot in."""
        self._snapshots.append(snapshot)
        while snapshot.at_seconds - self._snapshots[0].at_seconds > SPAN_SECONDS:
            self._snapshots.popleft()

    def demand(self) -> dict[str, float]:
        """Tokens/s by region over the span, highest first."""
        first, last = self._snapshots[0], self._snapshots[-1]
        span_seconds = last.at_seconds - first.at_seconds
        if span_seconds <= 0:
            return {}
        by_region = {
            region: (tokens - first.region_tokens.get(region, 0)) / span_seconds
            for region, tokens in last.region_tokens.items()
        }
        return dict(sorted(by_region.items(), key=lambda item: -item[1]))

    def line(self) -> str:
        """One plain line, for where no table can be redrawn."""
        last = self._snapshots[-1]
        return (
            f"{sum(self.demand().values()):,.0f} tokens/s · {last.requests:,} requests metered ·"
            f" {last.duplicate:,} duplicates dropped · {last.late:,} late ·"
            f" {last.rejected:,} dead letters · lag {last.lag_messages:,}"
        )

    def render(self) -> Group:
        """The whole picture for a terminal."""
        last = self._snapshots[-1]
        load = Table("region", title="Load (synthetic regions)")
        load.add_column("tokens/s", justify="right")
        demand = self.demand()
        for region, tokens_per_second in demand.items():
            load.add_row(cell(region), f"{tokens_per_second:,.0f}")
        load.add_section()
        load.add_row("all", f"{sum(demand.values()):,.0f}")
        models = Table("model", title="Top models")
        models.add_column("tokens", justify="right")
        models.add_column("share", justify="right")
        total = sum(last.model_tokens.values()) or 1
        for model, tokens in Counter(last.model_tokens).most_common(MODELS_SHOWN):
            models.add_row(cell(model), f"{tokens:,}", f"{tokens / total:.1%}")
        return Group(Columns([load, models, _registers(last)]))


def _registers(last: Snapshot) -> Table:
    table = Table("registers and log", title="Meter")
    table.add_column("", justify="right")
    for name, value in (
        ("requests", last.requests),
        ("input tokens", last.input_tokens),
        ("output tokens", last.output_tokens),
        ("duplicates dropped", last.duplicate),
        ("late", last.late),
        ("dead letters", last.rejected),
        ("lag, records", last.lag_messages),
    ):
        table.add_row(name, f"{value:,}")
    return table
