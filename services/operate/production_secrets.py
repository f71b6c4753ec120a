"""Makes what deploy/compose/production.yml needs beside the first secrets: TLS, and Kafka's users.

Each consumer has its folder, as in `services.operate.first_secrets`::

    ca/ca.pem  ca/ca.key                    the authority; no container but the job has its key
    kafka/server.pem  clickhouse/…  proxy/…   a server's certificate and key; each alone: .crt, .key
    kafka/jaas  kafka/admin.properties      Kafka's administrator: for the broker, for its tools
    kafka-users/<user>_password             for the job that lets the users in
    ingest/kafka_password, and so on        the same, each for its user
    <consumer>/ca.pem                       whom to trust
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.operate.first_certificates import (
    KeyPair,
    issue,
    make_authority,
    require_cryptography,
    stands,
)
from services.operate.first_secrets import FOREIGN, OWN, Report, make_secret, write_secret
from services.platform.errors import ConfigurationError

#: The users of Kafka, who are named as their services.
KAFKA_USERS: Final = ("migrate", "ingest", "aggregator", "exporter")
ADMIN: Final = "admin"
#: Who is known inside by which names.
SERVERS: Final[dict[str, tuple[str, ...]]] = {
    "kafka": ("kafka", "localhost", "127.0.0.1"),
    "clickhouse": ("clickhouse", "localhost", "127.0.0.1"),
}
#: Who has to know the authority, and whether it runs as another user than this.
TRUSTING: Final[dict[str, int]] = {
    **dict.fromkeys((*KAFKA_USERS, "kafka-users", "gateway"), OWN),
    **dict.fromkeys(("kafka", "clickhouse", "proxy", "grafana"), FOREIGN),
}
_PLAIN_MODULE: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


def make_production_secrets(folder: Path, public_names: Sequence[str], report: Report) -> None:
    """Make what is missing below ``folder``, and again what ends soon or has other names.

    ``public_names`` are the names by which gateways know the proxy. Raises `ConfigurationError`
    when one is none, or the folder cannot be written.
    """
    require_cryptography()
    for name in public_names:
        if not _HOST_NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} is no host name or address")
    try:
        _make_kafka_users(folder, report)
        authority = _authority(folder / "ca", report)
        for consumer, mode in TRUSTING.items():
            write_secret(folder / consumer / "ca.pem", authority.certificate.strip(), mode)
        for server, names in {**SERVERS, "proxy": tuple(public_names)}.items():
            _make_certificate(folder / server, authority, names, report)
    except OSError as error:
        raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}") from None


def _make_kafka_users(folder: Path, report: Report) -> None:
    users = folder / "kafka-users"
    make_secret(users / f"{ADMIN}_password", OWN, report)
    for user in KAFKA_USERS:
        made = users / f"{user}_password"
        make_secret(made, OWN, report)
        write_secret(folder / user / "kafka_password", made.read_text().strip(), OWN)
    password = (users / f"{ADMIN}_password").read_text().strip()
    login = f'{_PLAIN_MODULE} required username="{ADMIN}" password="{password}"'
    write_secret(folder / "kafka" / "jaas", f'{login} user_{ADMIN}="{password}";', FOREIGN)
    lines = (
        "security.protocol=SASL_SSL",
        "sasl.mechanism=PLAIN",
        f"sasl.jaas.config={login};",
        "ssl.truststore.type=PEM",
        "ssl.truststore.location=/run/secrets/wattoken/ca.pem",
    )
    write_secret(folder / "kafka" / "admin.properties", "\n".join(lines), FOREIGN)
    report("kafka/jaas, kafka/admin.properties: made")


def _authority(folder: Path, report: Report) -> KeyPair:
    certificate, key = folder / "ca.pem", folder / "ca.key"
    if certificate.exists() and key.exists():
        report("ca/ca.pem: exists")
        return KeyPair(certificate.read_text(), key.read_text())
    made = make_authority()
    # The key first: a certificate that is there says that both are.
    write_secret(key, made.key.strip(), OWN)
    write_secret(certificate, made.certificate.strip(), OWN)
    report("ca/ca.pem: made")
    return made


def _make_certificate(
    folder: Path, authority: KeyPair, names: Sequence[str], report: Report
) -> None:
    """Make a server's certificate, in one file with its key, and each once more alone."""
    path = folder / "server.pem"
    said = f"{folder.name}/{path.name}"
    if path.exists() and stands(path.read_text(), authority.certificate, names):
        report(f"{said}: exists")
        return
    made = issue(authority, names)
    write_secret(folder / "server.key", made.key.strip(), FOREIGN)
    write_secret(folder / "server.crt", made.certificate.strip(), FOREIGN)
    # The last of them: that it is there says that all are.
    write_secret(path, made.certificate.strip() + "\n" + made.key.strip(), FOREIGN)
    report(f"{said}: made, for {', '.join(names)}")
