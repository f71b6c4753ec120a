"""Apache Kafka that speaks SASL_SSL and TLS with client certificates only, and refuses by ACL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services.local_stack.kafka import kafka_jars, kafka_plan, server_properties
from services.local_stack.ports import LOOPBACK, give_back, pick_port
from services.local_stack.processes import ChildPlan
from services.platform.kafka import client_config
from services.platform.settings import KafkaSettings
from tests.secured.certificates import Authority

#: The broker's own name, which may do everything.
ADMIN = "admin"
#: What the broker writes as a client's name: the common name of its certificate.
NAME_OF_CERTIFICATE = "RULE:^CN=([^,]+).*$/$1/,DEFAULT"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it listens: passwords over TLS, client certificates, its controller."""

    sasl: int
    tls: int
    controller: int


class SecuredKafka:
    """A broker with the users given, each with a password that is its name and ``-secret``."""

    def __init__(self, folder: Path, authority: Authority, users: tuple[str, ...]) -> None:
        self._folder = folder
        self._authority = authority
        self._users = users
        self.ports = Ports(pick_port(), pick_port(), pick_port())

    @property
    def sasl_address(self) -> str:
        """Bootstrap server that wants a user and a password."""
        return f"{LOOPBACK}:{self.ports.sasl}"

    @property
    def tls_address(self) -> str:
        """Bootstrap server that wants a client's certificate."""
        return f"{LOOPBACK}:{self.ports.tls}"

    def env(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """Settings of a service that comes as a user."""
        password = self._folder / f"{user}.password"
        password.write_text(f"{user}-secret\n")
        return {
            "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": self.sasl_address,
            "WATTOKEN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "WATTOKEN_KAFKA_SASL_MECHANISM": mechanism,
            "WATTOKEN_KAFKA_SASL_USERNAME": user,
            "WATTOKEN_KAFKA_SASL_PASSWORD_FILE": str(password),
            "WATTOKEN_KAFKA_SSL_CA_FILE": str(self._authority.certificate),
        }

    def env_of_certificate(self, user: str) -> dict[str, str]:
        """Settings of a service that comes with a certificate, whose key has a password."""
        pair = self._authority.client(user, password=f"{user}-key")
        password = self._folder / f"{user}.key-password"
        password.write_text(f"{user}-key\n")
        return {
            "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS": self.tls_address,
            "WATTOKEN_KAFKA_SECURITY_PROTOCOL": "SSL",
            "WATTOKEN_KAFKA_SSL_CA_FILE": str(self._authority.certificate),
            "WATTOKEN_KAFKA_SSL_CERTIFICATE_FILE": str(pair.certificate),
            "WATTOKEN_KAFKA_SSL_KEY_FILE": str(pair.key),
            "WATTOKEN_KAFKA_SSL_KEY_PASSWORD_FILE": str(password),
        }

    def admin(self) -> AdminClient:
        """A client that may do everything."""
        settings = KafkaSettings(
            kafka_bootstrap_servers=self.sasl_address,
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism="PLAIN",
            kafka_sasl_username=ADMIN,
            kafka_sasl_password=f"{ADMIN}-secret",
            kafka_ssl_ca_file=self._authority.certificate,
        )
        return AdminClient({**client_config(settings), "log_level": 0})

    def plan(self) -> ChildPlan:
        """The process; its data folder is formatted here. Users come with `add_users`."""
        data = self._folder / "kafka"
        plan = kafka_plan(
            kafka_jars(print),
            data,
            *(self.ports.sasl, self.ports.controller, self._folder / "kafka.log"),
        )
        (data / "server.properties").write_text(self._properties(data))
        return replace(plan, ready=self._answers, ready_timeout_seconds=180)

    def add_users(self) -> None:
        """Let the users in by SCRAM too; by PLAIN they are from the start."""
        wanted = [
            UserScramCredentialUpsertion(
                user, ScramCredentialInfo(mechanism, 4096), f"{user}-secret".encode()
            )
            for user in self._users
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        ]
        admin = self.admin()
        for one in wanted:  # A user at a time: several of one user are refused in one request.
            made = admin.alter_user_scram_credentials([one], request_timeout=60)
            made[one.user].result()

    def give_back(self) -> None:
        """Give the ports back."""
        give_back(self.ports.sasl, self.ports.tls, self.ports.controller)

    def _answers(self) -> bool:
        # Held in a variable: a client that is collected takes its pending answer with it.
        admin = self.admin()
        try:
            pending = admin.describe_cluster(request_timeout=10.0)
            return bool(pending.result(timeout=20.0).nodes)
        except Exception:
            return False

    def _properties(self, data: Path) -> str:
        plain = server_properties(data, self.ports.sasl, self.ports.controller)
        kept = [
            line
            for line in plain.splitlines()
            if not line.startswith(("listeners=", "advertised.listeners="))
        ]
        sasl = f"SASL_SSL://{LOOPBACK}:{self.ports.sasl}"
        tls = f"SSL://{LOOPBACK}:{self.ports.tls}"
        modules = "org.apache.kafka.common.security"
        names = " ".join(f'user_{name}="{name}-secret"' for name in (ADMIN, *self._users))
        own = f'username="{ADMIN}" password="{ADMIN}-secret"'
        scram = f"{modules}.scram.ScramLoginModule required;"
        # Nobody comes to the controller but the broker itself: it is the only one in clear.
        return "\n".join(
            [
                *kept,
                f"listeners={sasl},{tls},CONTROLLER://{LOOPBACK}:{self.ports.controller}",
                f"advertised.listeners={sasl},{tls}",
                "listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
                "inter.broker.listener.name=SASL_SSL",
                "sasl.mechanism.inter.broker.protocol=PLAIN",
                "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
                "listener.name.sasl_ssl.plain.sasl.jaas.config="
                f"{modules}.plain.PlainLoginModule required {own} {names};",
                f"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}",
                f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}",
                "ssl.keystore.type=PEM",
                f"ssl.keystore.location={self._authority.server().joined()}",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={self._authority.certificate}",
                "listener.name.ssl.ssl.client.auth=required",
                f"listener.name.ssl.ssl.principal.mapping.rules={NAME_OF_CERTIFICATE}",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                f"super.users=User:{ADMIN};User:ANONYMOUS",
                "",
            ]
        )
