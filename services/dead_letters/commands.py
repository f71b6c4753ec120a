"""What `wattoken dead-letters` does: list, show, requeue; wiring and printing."""

from __future__ import annotations

import json
import time

from rich.table import Table

from services.dead_letters import letters
from services.dead_letters.letters import DeadLetter, Selection
from services.platform.errors import ConfigurationError
from services.platform.kafka import admin_client, describe_log, require_kafka
from services.platform.output import say
from services.platform.printable import shown
from services.platform.rules_table import rules_now
from services.platform.schema_state import migrated_database
from services.platform.settings import ClickHouseSettings, KafkaSettings, read_settings
from services.platform.terminal import cell, console
from services.platform.topic_writer import TopicWriter

#: Until a dead letter is asked for again, payloads are shown up to here.
PAYLOAD_SHOWN_MAX = 4_000


def list_dead_letters(selection: Selection, limit: int, *, as_json: bool) -> None:
    """Print the counts by reason and the newest letters."""
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        reasons = letters.count_by_reason(client, selection)
        newest = list(letters.read_letters(client, selection, limit))
    if as_json:
        print(
            json.dumps(
                {
                    "reasons": {reason.reason: reason.letters for reason in reasons},
                    "newest": [_letter_json(letter) for letter in newest],
                },
                indent=2,
            )
        )
        return
    out = console()
    if not reasons:
        out.print("no dead letters")
        return
    counts = Table("reason", "letters", "newest", title="Dead letters by reason")
    for reason in reasons:
        counts.add_row(
            cell(reason.reason), f"{reason.letters:,}", f"{reason.newest:%Y-%m-%d %H:%M:%S}Z"
        )
    out.print(counts)
    table = Table("appended", "partition", "offset", "reason", "error", title="Newest")
    for letter in newest:
        place = (str(letter.partition), str(letter.offset))
        table.add_row(
            f"{letter.append_time:%m-%d %H:%M:%S}Z",
            *place,
            *map(cell, (letter.reason, letter.error)),
        )
    out.print(table)


def show_dead_letter(partition: int, offset: int, *, as_json: bool) -> None:
    """Print one letter whole."""
    selection = Selection(partition=partition, offset=offset)
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        found = list(letters.read_letters(client, selection))
    if not found:
        raise ConfigurationError(f"no dead letter lies at partition {partition}, offset {offset}")
    for letter in found:
        fields = _letter_json(letter)
        if as_json:
            print(json.dumps(fields, indent=2))
        else:
            for name, value in fields.items():
                say(f"{name:<14}{value}")


def requeue_dead_letters(selection: Selection, *, confirmed: bool) -> None:
    """Put the selected letters back onto the topic, except those that would come back at once."""
    kafka = read_settings(KafkaSettings)
    require_kafka(kafka)
    writer = TopicWriter(kafka)
    out = console()
    log = describe_log(admin_client(kafka), writer.topic)
    with migrated_database(read_settings(ClickHouseSettings)) as client:
        rules = rules_now(client, log.name)
        total = sum(count.letters for count in letters.count_by_reason(client, selection))
        if not total:
            raise ConfigurationError("no dead letter fits the selection")
        if not confirmed and out.input(f"Look at {total:,} dead letters? [y/N] ") != "y":
            return
        back = skipped = 0
        for letter in letters.read_letters(client, selection):
            reason = letters.why_not_back(letter, rules, time.time_ns() // 1_000_000)
            if reason is None:
                writer.put([letters.log_record(letter)])
                back += 1
                continue
            skipped += 1
            place = f"partition {letter.partition}, offset {letter.offset}"
            out.print(f"left: {place}: {shown(reason)}", markup=False, highlight=False)
    out.print(f"{back:,} put back onto {writer.topic}, {skipped:,} left", highlight=False)


def _letter_json(letter: DeadLetter) -> dict[str, object]:
    return {
        "log": letter.log,
        "partition": letter.partition,
        "offset": letter.offset,
        "append_time": letter.append_time.isoformat(),
        "reason": letter.reason,
        "error": letter.error,
        "payload_bytes": letter.payload_bytes,
        "payload": letter.payload[:PAYLOAD_SHOWN_MAX].decode("utf-8", "backslashreplace"),
    }
