"""Steps 1 to 4: from finding out what is asked for to announcing the successor."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from schemas.metering_rules import DAY_MS
from services.operate.succession.case import Case, Site
from services.operate.succession.closing import LIMIT, is_closed
from services.operate.succession.rules import rules_by_partition, store_rules
from services.operate.succession.topics import cluster_id, replication_factor, topic_config
from services.platform.errors import ConfigurationError
from services.platform.log_beginning import ensure_beginnings
from services.platform.migrate import TopicPlan, check_topic, describe_made, make_topic
from services.platform.succession import (
    Succession,
    chain_of,
    first_of_each,
    group_of,
    looks_like_topic,
    newest_topic,
)
from services.platform.succession_table import read_successions
from services.platform.succession_topic import announce, ensure_succession_topic, read_announced

#: What the successor does not take over from its predecessor's configuration.
NOT_INHERITED: Final = frozenset({LIMIT, "message.timestamp.type", "cleanup.policy"})
#: Kafka's own, where the topic says nothing.
RETENTION_MS: Final = 7 * DAY_MS


def find(site: Site, case: Case) -> None:
    """Step 1: find the log that is to end, and what another run has done already."""
    wanted = case.wanted
    if not looks_like_topic(wanted.topic):
        raise ConfigurationError(f"{wanted.topic!r} is no name of a topic: use a-z, 0-9, . _ -")
    known = known_successions(site)
    chain = chain_of(known, site.kafka.kafka_topic)
    case.new_group = f"{wanted.group}.{wanted.topic}"
    begun = next((one for one in chain if one.topic == wanted.topic), None)
    if begun is not None:
        if begun is not chain[-1]:
            raise ConfigurationError(
                f"topic {begun.topic} took over before and was followed by {chain[-1].topic}: give"
                " another topic"
            )
        case.old_group = group_of(wanted.group, chain, begun.predecessor_topic)
        take_up(site, case, begun)
        return
    under_way = next((one for one in chain if not one.complete), None)
    if under_way is not None:
        raise ConfigurationError(
            f"topic {under_way.predecessor_topic} is being succeeded by {under_way.topic}: first"
            f" end that with `wattoken succeed --topic {under_way.topic} --partitions"
            f" {under_way.partitions}`"
        )
    topic = newest_topic(known, site.kafka.kafka_topic)
    if wanted.topic in {topic, *(one.predecessor_topic for one in chain)}:
        raise ConfigurationError(
            f"topic {wanted.topic} cannot follow itself: give the successor a name of its own"
        )
    case.old_group = group_of(wanted.group, chain, topic)
    case.old = site.questions.describe(topic)
    read_rules(site, case)
    site.report(
        f"1. {topic} with {case.old.partitions} partitions is to be followed by {wanted.topic}"
        f" with {wanted.partitions}"
    )


def known_successions(site: Site) -> list[Succession]:
    """All that Kafka and ClickHouse know of this cluster's logs."""
    announced = read_announced(site.kafka)
    with site.database() as client:
        stored = read_successions(client)
    cluster = cluster_id(site.admin)
    return first_of_each([*announced, *(one for one in stored if one.cluster_id == cluster)])


def take_up(site: Site, case: Case, begun: Succession) -> None:
    """Go on with what another run has begun."""
    if begun.partitions != case.wanted.partitions:
        raise ConfigurationError(
            f"topic {begun.topic} was announced with {begun.partitions} partitions: give"
            f" --partitions {begun.partitions}, or another topic once this has ended"
        )
    case.succession = begun
    case.new = site.questions.describe(begun.topic)
    if case.new.name != begun.log:
        raise ConfigurationError(
            f"topic {begun.topic} was announced as log {begun.log} and is {case.new.name}: it was"
            " deleted and recreated; succeed it with a topic of another name"
        )
    if not begun.complete:
        case.old = site.questions.describe(begun.predecessor_topic)
        if case.old.name != begun.predecessor_log:
            raise ConfigurationError(
                f"topic {begun.predecessor_topic} was deleted and recreated while it was being"
                f" succeeded: it was log {begun.predecessor_log} and is {case.old.name}"
            )
        read_rules(site, case)
    site.report(f"1. {begun.predecessor_topic} is followed by {begun.topic}: going on with that")


def read_rules(site: Site, case: Case) -> None:
    """Read the predecessor's rules; raises `ConfigurationError` where they cannot be inherited."""
    with site.database() as client:
        case.rules = rules_by_partition(client, case.predecessor.name)
    _ = case.inherited_rules


def make_successor(site: Site, case: Case) -> None:
    """Step 2: make the successor's topic, configured as its predecessor's."""
    if case.succession is not None:
        return
    wanted, old = case.wanted, case.predecessor
    inherited = topic_config(site.admin, old.topic)
    config = {name: value for name, value in inherited.items() if name not in NOT_INHERITED}
    if LIMIT in inherited and not is_closed(inherited):
        config[LIMIT] = inherited[LIMIT]
    retention_ms = wanted.retention_ms or int(config.pop("retention.ms", RETENTION_MS))
    if wanted.retention_ms is not None:
        config.pop("retention.ms", None)
    if wanted.replication_factor is not None:
        config.pop("min.insync.replicas", None)
    replicas = wanted.replication_factor or replication_factor(site.admin, old.topic)
    plan = TopicPlan(wanted.partitions, replicas, retention_ms)
    made = make_topic(site.admin, wanted.topic, plan, config)
    case.new = describe_made(site.admin, wanted.topic)
    if not made:
        check_topic(site.admin, wanted.topic)
    check_successor(site, case)
    site.report(f"2. topic {wanted.topic}: {'made' if made else 'exists'}")


def check_successor(site: Site, case: Case) -> None:
    """Refuse a topic that exists and is not what was asked for."""
    topic, partitions = case.successor.topic, case.successor.partitions
    if partitions != case.wanted.partitions:
        raise ConfigurationError(
            f"topic {topic} exists with {partitions} partitions, not {case.wanted.partitions}: give"
            f" --partitions {partitions}, or another topic"
        )
    if is_closed(topic_config(site.admin, topic)):
        raise ConfigurationError(f"topic {topic} is closed: give another topic")


def give_rules(site: Site, case: Case) -> None:
    """Step 3: store where the successor begins, and the rules that its predecessor had last."""
    if case.ended:
        return
    log = case.successor
    starts = site.questions.starts(log.topic, range(log.partitions))
    with site.database() as client:
        ensure_beginnings(client, log, starts, lambda line: None)
        have = rules_by_partition(client, log.name)
        missing = {number: 0 for number in range(log.partitions) if number not in have}
        if missing:
            store_rules(client, log.name, missing, case.inherited_rules)
    site.report(f"3. metering rules of {log.topic}: those of {case.predecessor.topic}")


def announce_successor(site: Site, case: Case) -> None:
    """Step 4: announce the successor, and give producers time to hear of it."""
    if case.succession is not None:
        site.report(f"4. {case.successor.topic}: announced before")
        return
    old, new = case.predecessor, case.successor
    ours = Succession(new.name, new.topic, new.partitions, old.name, old.topic, None)
    replicas = replication_factor(site.admin, old.topic)
    ensure_succession_topic(site.admin, site.kafka.kafka_successions_topic, replicas)
    announce(site.kafka, ours)
    # Of two that announce at once the first holds, for everybody who reads it.
    said = [one for one in read_announced(site.kafka) if one.predecessor_topic == old.topic]
    if [replace(one, ends=None) for one in said] != [ours]:
        raise ConfigurationError(
            f"another `wattoken succeed` came first: {old.topic} is being succeeded by"
            f" {said[0].topic if said else 'nobody'}"
        )
    case.succession = said[0]
    seconds = case.wanted.hear_seconds
    site.report(f"4. {new.topic}: announced; producers have {seconds:g} s to hear of it")
    time.sleep(seconds)
