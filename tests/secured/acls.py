"""Gives and takes what `services.platform.kafka_grants` says, in a real Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from services.platform.kafka_grants import Grant

RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
OPERATIONS: Final = {
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}


def give(admin: AdminClient, user: str, grants: Iterable[Grant]) -> None:
    """Let a user do what the grants say."""
    bindings = [_binding(user, grant, one) for grant in grants for one in grant.operations]
    for made in admin.create_acls(bindings, request_timeout=60).values():
        made.result()


def take_all(admin: AdminClient, user: str) -> None:
    """Let a user do nothing any more."""
    everything = AclBindingFilter(
        *(ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None),
        *(AclOperation.ANY, AclPermissionType.ANY),
    )
    for gone in admin.delete_acls([everything], request_timeout=60).values():
        gone.result()


def _binding(user: str, grant: Grant, operation: str) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
    return AclBinding(
        *(RESOURCES[grant.resource], grant.name, pattern, f"User:{user}", "*"),
        *(OPERATIONS[operation], AclPermissionType.ALLOW),
    )
