"""Gives and takes what `services.platform.kafka_grants` says, in a real Kafka."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from services.operate.first_kafka_users import binding
from services.platform.kafka_grants import Grant


def give(admin: AdminClient, user: str, grants: Iterable[Grant]) -> None:
    """Let a user do what the grants say."""
    bindings = [binding(user, grant, one) for grant in grants for one in grant.operations]
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
