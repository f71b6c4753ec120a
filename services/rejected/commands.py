"""What `wattoken rejected` does: list, show, requeue; wiring and printing."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from services.ingest import providers
from services.ingest.keys.entry import KeyEntry
from services.ingest.keys.file import read_keys_file
from services.ingest.records import Record
from services.ingest.rejections.record import encode_requeued
from services.ingest.settings import IngestSettings
from services.ingest.times import TimeLimits
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.printable import shown
from services.platform.settings import CatalogueSettings, KafkaSettings, read_settings
from services.platform.terminal import cell, console
from services.platform.topic_writer import TopicWriter
from services.rejected.reading import Place, Rejected, Selection, read
from services.rejected.requeue import record_again

#: Records put back between two notes that they were.
_NOTED_AT_ONCE = 500


def list_rejected(selection: Selection, limit: int, *, as_json: bool) -> None:
    """Print the counts by reason and the newest rejections."""
    found = read(read_settings(KafkaSettings), selection)
    reasons = Counter(one.what.code for one in found)
    newest = found[::-1][:limit]
    if as_json:
        document = {"reasons": dict(reasons), "newest": [as_fields(one) for one in newest]}
        print(json.dumps(document, indent=2))
        return
    out = console()
    if not found:
        out.print("nothing that ingest refused is kept")
        return
    counts = Table("reason", "rejections", "newest", title="Rejections by reason")
    for reason, count in reasons.most_common():
        last = max(one.append_time for one in found if one.what.code == reason)
        counts.add_row(cell(reason), f"{count:,}", f"{last:%Y-%m-%d %H:%M:%S}Z")
    out.print(counts)
    table = Table(
        "refused", "partition", "offset", "key", "format", "reason", "why", title="Newest"
    )
    for one in newest:
        what = one.what
        place = (str(one.place.partition), str(one.place.offset))
        reason = f"{what.code}, requeued" if one.requeued else what.code
        moment = f"{what.refused_at:%m-%d %H:%M:%S}Z"
        table.add_row(moment, *place, *map(cell, (what.key_id, what.format, reason, what.message)))
    out.print(table)


def show_rejected(place: Place, *, as_json: bool) -> None:
    """Print one rejection whole."""
    found = read(read_settings(KafkaSettings), Selection(place=place))
    if not found:
        raise ConfigurationError(
            f"no rejection lies at partition {place.partition}, offset {place.offset}"
        )
    fields = as_fields(found[0])
    if as_json:
        print(json.dumps(fields, indent=2))
        return
    for name, value in fields.items():
        say(f"{name:<15}{value}")


def requeue_rejected(
    selection: Selection, keys_file: Path, as_key: str | None, *, confirmed: bool
) -> None:
    """Meter the selected rejections as ingest would now; what would be refused again is left."""
    settings = read_settings(IngestSettings)
    providers.use(
        read_catalogue(read_settings(CatalogueSettings).catalogue_dir, with_price_lists=False)
    )
    out = console()
    found = [one for one in read(settings, selection) if not one.requeued]
    if not found:
        raise ConfigurationError("no rejection fits the selection, or all were put back before")
    entries = {entry.id: entry for entry in read_keys_file(keys_file)}
    if as_key is not None and as_key not in entries:
        raise ConfigurationError(f"the keys file {keys_file} has no key {as_key!r}")
    if not confirmed and out.input(f"Look at {len(found):,} rejections? [y/N] ") != "y":
        return
    writer = TopicWriter(settings)
    notes = TopicWriter(settings.model_copy(update={"kafka_topic": settings.kafka_rejected_topic}))
    back = 0
    times = _times(settings)
    for start in range(0, len(found), _NOTED_AT_ONCE):
        records: dict[Place, Record] = {}
        for one in found[start : start + _NOTED_AT_ONCE]:
            record, why = _again(one, entries, as_key, times)
            if record is not None:
                records[one.place] = record
                continue
            place = f"partition {one.place.partition}, offset {one.place.offset}"
            out.print(f"left: {place}: {shown(why)}", markup=False, highlight=False)
        if not records:
            continue
        writer.put((record["key"], record["value"]) for record in records.values())
        # After they are on the log: a crash in between leaves duplicates, which count once.
        places = [(place.partition, place.offset) for place in records]
        notes.put([(b"requeued", encode_requeued(places))])
        back += len(records)
    left = len(found) - back
    out.print(f"{back:,} put back onto {settings.kafka_topic}, {left:,} left", highlight=False)


def _again(
    one: Rejected, entries: dict[str, KeyEntry], as_key: str | None, times: TimeLimits
) -> tuple[Record | None, str]:
    entry = entries.get(one.what.key_id if as_key is None else as_key)
    if entry is None:
        return None, f"its API key {one.what.key_id} is gone: name its successor with --as-key"
    if entry.tenant != one.what.tenant:
        return None, f"API key {entry.id} is of another tenant than {one.what.tenant}"
    return record_again(one.what, entry, times)


def _times(settings: IngestSettings) -> TimeLimits:
    now = datetime.now(UTC)
    return TimeLimits(
        now - timedelta(days=settings.ingest_event_age_max_days),
        now + timedelta(seconds=settings.ingest_event_ahead_max_seconds),
    )


def as_fields(one: Rejected) -> dict[str, Any]:
    """Give what is shown of a rejection."""
    what = one.what
    return {
        "partition": one.place.partition,
        "offset": one.place.offset,
        "refused_at": what.refused_at.isoformat(),
        "key_id": what.key_id,
        "tenant": what.tenant,
        "format": what.format,
        "index": what.index,
        "reason": what.code,
        "message": what.message,
        "requeued": one.requeued,
        "payload_bytes": what.payload_bytes,
        "cut": what.cut,
        "payload": what.payload,
    }
