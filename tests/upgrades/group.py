"""Who of a consumer group has which partitions, asked in pure Python.

Not through librdkafka: some answers to its admin client end the process that it is in
(`rd_kafka_admin_response_parse: Assertion`), as a busy broker's to this very question did.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

ANSWER_SECONDS: Final = 20


def shares(bootstrap_servers: str, group: str, topic: str) -> list[set[int]]:
    """The partitions of a topic that each member has; none while nobody answers."""
    try:
        return asyncio.run(_ask(bootstrap_servers, group, topic))
    except (KafkaError, OSError):
        return []


async def _ask(bootstrap_servers: str, group: str, topic: str) -> list[set[int]]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap_servers, request_timeout_ms=ANSWER_SECONDS * 1000
    )
    try:
        await admin.start()
        answers = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    described: list[dict[str, Any]] = [
        each for answer in answers for each in answer.to_object()["groups"]
    ]
    return [
        partitions_of(member["member_assignment"], topic)
        for each in described
        for member in each["members"]
    ]


def partitions_of(assignment: bytes, topic: str) -> set[int]:
    """Read what a member was given; nothing while the group is still at it."""
    if not assignment:
        return set()
    given = ConsumerProtocolMemberAssignment.decode(assignment).assignment
    return {partition for name, partitions in given if name == topic for partition in partitions}
