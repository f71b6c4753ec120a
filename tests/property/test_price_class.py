"""What an event says of its price is in the rows as it is in a plain recount of the log's JSON.

Events with any of the fields, in the form that is read many at a time and in another, sent again,
in batches cut anywhere, between which rows are taken, under rules that change. The rows are read
from the bytes that ClickHouse would be sent.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.metering_rules import HOUR_MS, MINUTE_MS, MeteringRules
from services.aggregator.core.dedup import SeenIds
from services.aggregator.core.judging import Records
from services.aggregator.core.partition import Checkpoint, PartitionState
from services.aggregator.core.slices import SliceStore
from services.aggregator.core.timing import RuleBook
from services.aggregator.core.windows import FAMILIES
from services.aggregator.decoding.columns import Decoder
from services.aggregator.decoding.labels import Labels
from services.aggregator.storage.slice_blocks import slice_block
from tests.native_reader import read_native
from tests.versions.effort import examples

T0_MS: Final = 1_773_576_000_000
TOKENS: Final = (
    *("cache_read_input_tokens", "cache_write_input_tokens", "reasoning_output_tokens"),
    *("cache_write_5m_input_tokens", "cache_write_1h_input_tokens"),
    *("audio_input_tokens", "image_input_tokens"),
    *("cache_read_audio_input_tokens", "cache_read_image_input_tokens"),
    *("audio_output_tokens", "image_output_tokens"),
)
UNITS: Final = (
    *("web_searches", "file_searches", "tool_calls", "images"),
    *("audio_milliseconds", "video_milliseconds", "characters", "pages"),
)
TIERS: Final = ("standard", "batch", "flex", "priority", "fast", "scale", "reserved")
#: In the order of the schema, which is that of the log.
ORDER: Final = (
    *("id", "source", "tenant", "time", "region", "provider", "model", "input_tokens"),
    *("output_tokens", *TOKENS[:3], "status", "quality", "duration_ms", "entry", "adjusts"),
    *("reason", "service_tier", *TOKENS[3:], *UNITS),
)
SECONDS: Final = [0, 1, 61, 3599, 3600, 7300]


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event that does not contradict itself: parts are drawn before their totals."""
    small = st.integers(0, 3) | st.none()
    parts = {name: draw(small) for name in draw(st.sets(st.sampled_from(TOKENS), max_size=6))}

    def at_least(total: str, *names: str) -> None:
        least = sum(parts.get(name) or 0 for name in names)
        if least:
            parts[total] = least + draw(st.integers(0, 2))

    at_least("cache_write_input_tokens", *TOKENS[3:5])
    read_audio = parts.get("cache_read_audio_input_tokens") or 0
    read_image = parts.get("cache_read_image_input_tokens") or 0
    at_least("cache_read_input_tokens", *TOKENS[7:9])
    at_least("audio_input_tokens", "cache_read_audio_input_tokens")
    at_least("image_input_tokens", "cache_read_image_input_tokens")
    apart = (*TOKENS[:2], *TOKENS[5:7])
    taken = sum(parts.get(name) or 0 for name in apart) - read_audio - read_image
    told_out = sum(parts.get(name) or 0 for name in (TOKENS[2], *TOKENS[9:]))
    entry = draw(st.sampled_from(["usage", "usage", "usage", "debit", "credit"]))
    number = draw(st.integers(0, 11))
    adjusting = {} if entry == "usage" else {"adjusts": "x", "reason": "y", "entry": entry}
    fields: dict[str, Any] = {
        "id": f"id-{number}",
        "source": "gateway",
        "tenant": f"tenant-{number % 2}",
        "region": "eu",
        "provider": "p",
        "model": f"m-{number % 4}",
        "input_tokens": taken + draw(st.integers(0, 9)),
        "output_tokens": told_out + draw(st.integers(0, 2)),
        **parts,
        **adjusting,
    }
    second = T0_MS // 1000 - draw(st.sampled_from(SECONDS))
    fields["time"] = f"{np.datetime64(second, 's')}Z"
    if draw(st.booleans()):
        fields["service_tier"] = draw(st.none() | st.sampled_from(TIERS))
    for unit in draw(st.sets(st.sampled_from(UNITS), max_size=3)):
        fields[unit] = draw(small)
    if draw(st.booleans()):
        fields["status"] = "error"
    if draw(st.booleans()):
        fields["quality"] = "estimated"
    return fields


def written(fields: dict[str, Any], compact: bool) -> bytes:
    """The event as Wattoken writes it, or as somebody else may."""
    if not compact:
        return json.dumps(fields).encode()
    said = {name: fields[name] for name in ORDER if fields.get(name) is not None}
    return json.dumps(said, separators=(",", ":")).encode()


RULES: Final = st.lists(
    st.tuples(
        st.integers(1, 20),
        st.sampled_from([(), (3,), (2, 5, 9), (0xFFFFFFFF,)]),
        st.sampled_from([1, 2, 3, 100]),
    ),
    min_size=1,
    max_size=3,
)


def recount(
    values: list[bytes], rules: list[tuple[int, MeteringRules]]
) -> dict[str, dict[tuple[Any, ...], dict[str, int]]]:
    """Sum the log, an event at a time, in dicts by name."""
    sums: Any = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    seen: set[tuple[str, str]] = set()
    admitted: set[tuple[str, ...]] = set()
    for offset, value in enumerate(values):
        (now,) = [one for at, one in rules if at <= offset][-1:]
        event = json.loads(value)
        identity = (event["tenant"], event["id"])
        if identity in seen:
            continue
        seen.add(identity)
        entry, used = event.get("entry", "usage"), {u: event.get(u) or 0 for u in UNITS}
        tokens = event["input_tokens"] + event["output_tokens"]
        series = (entry, event["region"], event["provider"], event["model"])
        price_class = (
            event.get("service_tier") or "",
            max((one for one in now.context_thresholds if one < event["input_tokens"]), default=0),
        )
        if series not in admitted:
            if len(admitted) < now.series_max or not tokens + sum(used.values()):
                admitted |= {series} if tokens + sum(used.values()) else set()
            else:
                series, price_class = (entry, "other", "other", "other"), ("", 0)
        ms = int(np.datetime64(event["time"].removesuffix("Z"), "ms").astype(np.int64))
        minute, hour = (ms // size * size // 1000 for size in (MINUTE_MS, HOUR_MS))
        for family, key in (
            ("register", series),
            ("minute", (minute, *series)),
            ("hour", (hour, event["tenant"], *series, *price_class)),
        ):
            row = sums[family][key]
            row["requests"] += 1
            row["failed_requests"] += event.get("status") == "error"
            row["estimated_tokens"] += tokens * (event.get("quality") == "estimated")
            for name in ("input_tokens", "output_tokens", *TOKENS):
                row[name] += event.get(name) or 0
        for unit, quantity in used.items():
            if quantity:
                sums["unit"][(hour, event["tenant"], *series, unit)]["quantity"] += quantity
    return {
        family: {key: {n: v for n, v in row.items() if v} for key, row in rows.items()}
        for family, rows in sums.items()
    }


KEYS: Final = ("window_start", "tenant", "entry", "region", "provider", "model")
VARIETY: Final = ("service_tier", "context_band", "unit")


@given(
    st.lists(st.tuples(events(), st.booleans()), min_size=1, max_size=24),
    RULES,
    st.lists(st.integers(0, 24), max_size=4),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
@settings(max_examples=examples(150), deadline=None)
def test_rows_are_a_plain_recount(
    drawn: list[tuple[dict[str, Any], bool]],
    changes: list[tuple[int, tuple[int, ...], int]],
    cuts: list[int],
    flushes: list[bool],
) -> None:
    values = [written(fields, compact) for fields, compact in drawn]
    offset, entries = 0, []
    for length, thresholds, series_max in changes:
        rules = MeteringRules(context_thresholds=thresholds, series_max=series_max)
        entries.append((offset, rules))
        offset += length
    labels = Labels()
    state = PartitionState(
        *(0, RuleBook(tuple(entries)), Checkpoint(0, 0), SliceStore({}), SeenIds(), 0),
        Decoder(labels),
    )
    table: dict[str, dict[tuple[Any, ...], dict[str, int]]] = {}

    def flush() -> None:
        snapshot = state.snapshot()
        if snapshot is None:
            return
        assert not snapshot.checkpoint.rejected, "none of them contradicts itself"
        for family in FAMILIES:
            block = slice_block(family, [snapshot], labels, "log")
            for row in read_native(block.data()) if block is not None else ():
                key = tuple(row[name] for name in (*KEYS, *VARIETY) if name in row)
                told = {name: row[name] for name in family.measures if row.get(name)}
                table.setdefault(family.name, {})[key] = told

    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    for start, end, flushed in zip(edges, edges[1:], flushes, strict=False):
        offsets = np.arange(start, end)
        batch = Records(offsets, np.full(len(offsets), T0_MS), values[start:end])
        state.fold(state.sift(batch))
        if flushed:
            flush()
    flush()
    assert table == recount(values, entries)
