"""Lets the services' users into a Kafka with SCRAM and ACLs, each with the least that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services.platform.errors import ConfigurationError
from services.platform.kafka import ExplainingAdmin
from services.platform.kafka_grants import Grant

#: As RFC 7677 recommends for SHA-256, and Kafka's own least.
ITERATIONS: Final = 4096
TIMEOUT_SECONDS: Final = 60
PASSWORD_SUFFIX: Final = "_password"

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


def let_users_in(
    admin: ExplainingAdmin,
    folder: Path,
    grants: Mapping[str, Iterable[Grant]],
    report: Callable[[str], None],
) -> None:
    """Give each user its password (SCRAM-SHA-512) and its grants; safe to run again.

    Users are those with a file ``<user>_password`` in ``folder``, but the administrator. Raises
    `ConfigurationError` for a user without grants or an empty file, `UnavailableError` where
    Kafka refuses or does not answer.
    """
    passwords = read_passwords(folder, grants)
    for user, password in passwords.items():
        # A user at a time: several of one user are refused in one request.
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        wanted = UserScramCredentialUpsertion(user, credential, password)
        _done(admin, admin.alter_user_scram_credentials([wanted], request_timeout=TIMEOUT_SECONDS))
        bindings = [
            binding(user, grant, operation)
            for grant in grants[user]
            for operation in grant.operations
        ]
        _done(admin, admin.create_acls(bindings, request_timeout=TIMEOUT_SECONDS))
        report(f"{user}: has its password and {len(bindings)} rights")


def read_passwords(folder: Path, grants: Mapping[str, object]) -> dict[str, bytes]:
    """The users' passwords, by name; raises `ConfigurationError`."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob(f"*{PASSWORD_SUFFIX}")):
        user = path.name.removesuffix(PASSWORD_SUFFIX)
        if user == "admin":
            continue
        if user not in grants:
            raise ConfigurationError(f"{path}: there is no {user}; there are {', '.join(grants)}")
        found[user] = path.read_bytes().strip()
        if not found[user]:
            raise ConfigurationError(f"{path} is empty: put a password into it")
    if not found:
        raise ConfigurationError(
            f"{folder} has no file that is named after a user, such as ingest{PASSWORD_SUFFIX}"
        )
    return found


def binding(user: str, grant: Grant, operation: str) -> AclBinding:
    """One right of a user, as an ACL."""
    pattern = ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
    return AclBinding(
        *(RESOURCES[grant.resource], grant.name, pattern, f"User:{user}", "*"),
        *(OPERATIONS[operation], AclPermissionType.ALLOW),
    )


def _done(admin: ExplainingAdmin, pending: Mapping[Any, Future[Any]]) -> None:
    try:
        for one in pending.values():
            one.result()
    except KafkaException as error:
        raise admin.unanswered(error) from None
