"""Steps 5 to 7: from closing the predecessor to writing down where it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from schemas.metering_rules import MeteringRules
from services.operate.succession.age import oldest_ms
from services.operate.succession.case import Case, Site
from services.operate.succession.closing import (
    Probe,
    close_topic,
    is_closed,
    open_transactions,
)
from services.operate.succession.copying import Copier
from services.operate.succession.rules import lenient, rules_by_partition, store_rules
from services.operate.succession.topics import topic_config
from services.operate.succession.workers import look_at_group
from services.platform.errors import ConfigurationError
from services.platform.kafka_log import Log
from services.platform.succession import Stretch
from services.platform.succession_table import (
    read_beginnings,
    read_next_offsets,
    read_successions,
    seconds_since_written,
    write_succession,
)
from services.platform.succession_topic import announce, read_announced


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
            if left := probe.still_open(range(log.partitions)):
                return f"partitions {left} of {topic} to refuse events"
        # A client of its own: one that was refused something hears no more of what follows.
        with Probe(site.kafka, topic) as probe:
            if left := probe.behind(range(log.partitions)):
                return f"replicas of partitions {left} of {topic} to follow"
        return None

    def under_way() -> str | None:
        held = open_transactions(site.questions, log)
        return f"open transactions in partitions {held} of {topic} to end" if held else None

    site.patience.wait(still_open, "is a broker away, or does it not know max.message.bytes?")
    site.patience.wait(under_way, "end their producers, or use `kafka-transactions.sh abort`")
    site.report(f"5. {topic}: closed, and no transaction is open")


def decide_ends(site: Site, case: Case) -> None:
    """Step 6: decide where the predecessor ended; see the module of the steps."""
    if not case.ended:
        take_up_ends(site, case)
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
    from_offsets = {partition: stretch.end for partition, stretch in enumerate(ends)}
    oldest = oldest_ms(site.kafka, log.topic, from_offsets)
    waited_ms = 0 if oldest is None else max(0, time.time_ns() // 1_000_000 - oldest)
    rules_from_here(site, case.successor, lenient(rules, waited_ms))
    copy(site, case, from_offsets)
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


def rules_from_here(site: Site, log: Log, rules: MeteringRules) -> None:
    """Have the next records of a log judged by these. Nobody may be metering it yet."""
    from_offsets = site.questions.ends(log.topic, range(log.partitions))
    with site.database() as client:
        store_rules(client, log.name, from_offsets, rules)


def copy(site: Site, case: Case, from_offsets: Mapping[int, int], step: int = 6) -> None:
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
    site.report(f"{step}. {copied:,} records copied to {case.successor.topic}")


def take_up_ends(site: Site, case: Case) -> None:
    """Take over the ends that Kafka was told first, by this run or another."""
    ours = case.announced
    for said in read_announced(site.kafka):
        if said.predecessor_topic == ours.predecessor_topic and said.complete:
            case.succession = said


def write_ends(site: Site, case: Case) -> None:
    """Step 7: write the ends; from then on workers go over when they have metered up to them.

    Written where they are not yet, so that the table says when it was.
    """
    if case.announced not in read_announced(site.kafka):
        announce(site.kafka, case.announced)
        # Of two that say it at once the first holds, here too.
        take_up_ends(site, case)
    with site.database() as client:
        if case.announced not in read_successions(client):
            write_succession(client, case.announced)
    site.report(f"7. {case.announced.predecessor_topic}: its ends are stored")


def sweep(site: Site, case: Case) -> None:
    """Step 9: copy what lies beyond the ends all the same, such as records too small for events.

    Not when that is long ago: Kafka forgets in time what was copied, and what is copied again is
    a duplicate only within the dedup horizon.
    """
    succession = case.announced
    try:
        log = site.questions.describe(succession.predecessor_topic)
    except ConfigurationError:
        return  # It was deleted since, so its time is long over.
    if log.name != succession.predecessor_log:
        return
    assert succession.ends is not None
    if not is_closed(topic_config(site.admin, log.topic)):
        close_topic(site.admin, log.topic)
        site.report(f"9. {log.topic}: somebody has opened it again; closed")
    held = site.questions.ends(log.topic, range(len(succession.ends)))
    with site.database() as client:
        metered = read_next_offsets(client, log.name)
        rules = rules_by_partition(client, succession.log).values()
        ago_seconds = seconds_since_written(client, log.name)
    beyond = {
        partition: max(end.end, metered.get(partition, 0))
        for partition, end in enumerate(succession.ends)
        if held[partition] > max(end.end, metered.get(partition, 0))
    }
    if not beyond or 2000 * ago_seconds > min(rule.dedup_horizon_ms for rule in rules):
        return
    case.old = log
    site.report(f"9. {log.topic}: looking beyond its end in partitions {sorted(beyond)}")
    copy(site, case, beyond, 9)
