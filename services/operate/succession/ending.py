"""Steps 5 to 7: from closing the predecessor to writing down where it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from schemas.metering_rules import DAY_MS, MeteringRules
from services.operate.succession.beginning import RETENTION_MS
from services.operate.succession.case import Case, Site
from services.operate.succession.closing import Probe, close_topic, open_transactions
from services.operate.succession.copying import Copier
from services.operate.succession.rules import lenient, store_rules
from services.operate.succession.topics import topic_config
from services.operate.succession.workers import look_at_group
from services.platform.errors import ConfigurationError
from services.platform.kafka import Log
from services.platform.succession import Stretch
from services.platform.succession_table import (
    read_beginnings,
    read_next_offsets,
    write_succession,
)
from services.platform.succession_topic import announce


def close_predecessor(site: Site, case: Case) -> None:
    """Step 5: have the predecessor's brokers refuse what comes, and open transactions end."""
    if case.ended:
        return
    topic = case.predecessor.topic
    close_topic(site.admin, topic)
    # Looked at again: partitions that are added from now on are made closed.
    log = case.old = site.questions.describe(topic)

    def still_open() -> str | None:
        # What was asked for is one thing; what counts is what each leader does.
        with Probe(site.kafka, topic) as probe:
            left = probe.still_open(range(log.partitions))
        return f"partitions {left} of {topic} to refuse events" if left else None

    def under_way() -> str | None:
        held = open_transactions(site.questions, log)
        return f"open transactions in partitions {held} of {topic} to end" if held else None

    site.patience.wait(still_open, "is a broker away, or does it not know max.message.bytes?")
    site.patience.wait(under_way, "end their producers, or use `kafka-transactions.sh abort`")
    site.report(f"5. {topic}: closed, and no transaction is open")


def decide_ends(site: Site, case: Case) -> None:
    """Step 6: decide where the predecessor ended; see the module of the steps."""
    if case.ended:
        return
    log = case.predecessor
    if case.grown:
        ends = ends_of_grown(site, case)
    else:
        found, begins = site.questions.ends(log.topic, range(log.partitions)), beginnings(site, log)
        ends = [Stretch(begins[number], found[number]) for number in range(log.partitions)]
    case.succession = replace(case.announced, ends=tuple(ends))
    offsets = sum(stretch.end for stretch in ends)
    site.report(f"6. {log.topic}: ended, at {offsets:,} offsets in all")


def beginnings(site: Site, log: Log) -> dict[int, int]:
    """Where each partition begins; one added under the meter begins with its first record."""
    with site.database() as client:
        return {**dict.fromkeys(range(log.partitions), 0), **read_beginnings(client, log.name)}


def ends_of_grown(site: Site, case: Case) -> list[Stretch]:
    """Where the meter stood; what lies beyond is on the successor when this returns."""
    log, group = case.predecessor, case.old_group
    added = log.partitions - len(case.rules)
    site.report(f"6. {log.topic}: {added} partitions were added to it under the meter")

    def workers_left() -> str | None:
        members = look_at_group(site.admin, group).members
        return f"{members} workers of group {group} to end" if members else None

    # One that has written nothing for a while may still be about to.
    site.patience.wait(workers_left, "stop the workers")
    ends = where_the_meter_stood(site, log)
    rules = case.inherited_rules
    rules_from_here(site, case.successor, lenient(rules, kept_ms(site, log)))
    copy(site, case, {partition: stretch.end for partition, stretch in enumerate(ends)})
    rules_from_here(site, case.successor, rules)
    return ends


def where_the_meter_stood(site: Site, log: Log) -> list[Stretch]:
    """The checkpoints of a log as its ends; raises `ConfigurationError` where records are lost."""
    starts, begins = site.questions.starts(log.topic, range(log.partitions)), beginnings(site, log)
    with site.database() as client:
        metered = read_next_offsets(client, log.name)
    ends = []
    for partition, start in sorted(starts.items()):
        end = metered.get(partition, begins[partition])
        if end < start:
            raise ConfigurationError(
                f"partition {partition} of {log.topic}: the log starts at {start}, but only"
                f" {end} was metered: docs/runbook.md, 'Retention overtook the meter'"
            )
        ends.append(Stretch(begins[partition], end))
    return ends


def kept_ms(site: Site, log: Log) -> int:
    """How long a topic keeps records; where it keeps them for ever, a century will do."""
    kept = int(topic_config(site.admin, log.topic).get("retention.ms", RETENTION_MS))
    return kept if kept >= 0 else 36_500 * DAY_MS


def rules_from_here(site: Site, log: Log, rules: MeteringRules) -> None:
    """Have the next records of a log judged by these. Nobody may be metering it yet."""
    from_offsets = site.questions.ends(log.topic, range(log.partitions))
    with site.database() as client:
        store_rules(client, log.name, from_offsets, rules)


def copy(site: Site, case: Case, from_offsets: Mapping[int, int]) -> None:
    """Copy what the predecessor holds from these offsets on to the successor, once."""
    copied = 0

    def attempt() -> str | None:
        nonlocal copied
        before = copied

        def report(count: int) -> None:
            nonlocal copied
            copied = before + count
            site.report(f"copied {copied:,} records")

        Copier(site.kafka, case.predecessor, case.successor.topic).run(from_offsets, report)
        return None

    site.patience.wait(attempt, "run this again: it goes on where it was")
    site.report(f"6. {copied:,} records copied to {case.successor.topic}")


def write_ends(site: Site, case: Case) -> None:
    """Step 7: write the ends; from then on workers go over when they have metered up to them."""
    announce(site.kafka, case.announced)
    with site.database() as client:
        write_succession(client, case.announced)
    site.report(f"7. {case.announced.predecessor_topic}: its ends are stored")


def sweep(site: Site, case: Case) -> None:
    """Step 9: copy what lies beyond the ends all the same, such as records too small for events."""
    succession = case.announced
    try:
        log = site.questions.describe(succession.predecessor_topic)
    except ConfigurationError:
        return  # It was deleted since, so its time is long over.
    if log.name != succession.predecessor_log:
        return
    assert succession.ends is not None
    held = site.questions.ends(log.topic, range(len(succession.ends)))
    with site.database() as client:
        metered = read_next_offsets(client, log.name)
    beyond = {
        partition: max(end.end, metered.get(partition, 0))
        for partition, end in enumerate(succession.ends)
        if held[partition] > max(end.end, metered.get(partition, 0))
    }
    if beyond:
        case.old = log
        site.report(f"9. {log.topic}: records beyond its end in partitions {sorted(beyond)}")
        copy(site, case, beyond)
