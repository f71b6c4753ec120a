"""Step 8: the workers of a group, as Kafka sees them, and waiting until they have gone over."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException

from services.operate.succession.case import Case, Site
from services.platform.errors import UnavailableError
from services.platform.kafka import ADMIN_TIMEOUT_SECONDS, ExplainingAdmin
from services.platform.succession_table import read_next_offsets


@dataclass(frozen=True, slots=True)
class Group:
    """How many workers there are, and how many partitions of each topic they have together."""

    members: int
    partitions: dict[str, int]


def look_at_group(admin: ExplainingAdmin, name: str) -> Group:
    """Ask Kafka for a consumer group; one that never was has no members.

    Raises `UnavailableError` when the broker does not answer.
    """
    answers = admin.describe_consumer_groups([name], request_timeout=ADMIN_TIMEOUT_SECONDS)
    try:
        described = answers[name].result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() == KafkaError.GROUP_ID_NOT_FOUND:
            return Group(0, {})
        raise UnavailableError(f"Kafka does not describe group {name}: {reason.str()}") from None
    partitions: dict[str, int] = {}
    for member in described.members:
        assignment = member.assignment
        for place in assignment.topic_partitions if assignment is not None else ():
            partitions[place.topic] = partitions.get(place.topic, 0) + 1
    return Group(len(described.members), partitions)


def await_workers(site: Site, case: Case) -> None:
    """Step 8: wait until the predecessor is metered and the successor's partitions are taken."""
    succession, group = case.announced, case.new_group

    def unmetered() -> str | None:
        with site.database() as client:
            left = succession.unmetered(read_next_offsets(client, succession.predecessor_log))
        if not left:
            return None
        return f"{left:,} offsets of {succession.predecessor_topic} to be metered"

    def not_gone_over() -> str | None:
        admin = site.admin
        left = look_at_group(admin, case.old_group).members
        taken = look_at_group(admin, group).partitions.get(succession.topic, 0)
        if not left and taken in (0, succession.partitions):
            return None
        return (
            f"workers to go over: {left} are left in group {case.old_group}, those in {group} have"
            f" taken {taken} of {succession.partitions} partitions of {succession.topic}"
        )

    stands = f"{succession.topic} has taken over, and workers follow by themselves"
    site.patience.wait(unmetered, f"{stands} once they run: start `wattoken aggregator`")
    site.patience.wait(not_gone_over, f"{stands}: look at their logs")
    running = look_at_group(site.admin, group).members
    workers = f"{running} workers went over" if running else "workers, if any run, start again"
    site.report(f"8. {succession.predecessor_topic}: metered to its end; {workers}")
