"""Why there is no connection to Kafka, in a line that names address, setting and remedy.

librdkafka's calls only say that time ran out; what stood in the way it tells a callback, in words
about its own options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final

from confluent_kafka import KafkaError

#: ``sasl_ssl://broker:9093/bootstrap: what happened (after 5ms in state SSL_HANDSHAKE)``
_SAID: Final = re.compile(
    r"\A(?:[a-z_]+://)?(?P<address>[^/\s]+)(?:/\w+)?: (?P<what>.*?)(?: \(after .*)?\Z",
    re.DOTALL,
)
#: What a broker that wants another protocol makes of ours: it closes, or answers with nonsense.
_OTHER_PROTOCOL: Final = (
    "wrong version number",
    "record layer failure",
    "Disconnected while requesting ApiVersion",
    "broker might require SASL",
    "client is connecting to a plaintext broker listener",
    "unexpected eof",
    "invalid response size",
    "packet length too long",
)
_OUR_CERTIFICATE_REFUSED: Final = (
    "alert bad certificate",
    "alert certificate required",
    "alert unknown ca",
    "alert certificate unknown",
    "alert certificate expired",
    "alert handshake failure",
)

GRANTS_REMEDY: Final = "`wattoken grants` prints the ACLs that each service needs"
#: What a broker says where an ACL is missing.
REFUSED_CODES: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)


class Reasons:
    """The last telling thing that a client heard of its connections; thread-safe."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._lock = Lock()
        self._said = ""

    def note(self, error: KafkaError) -> None:
        """Take an error as librdkafka's ``error_cb`` gives it."""
        with self._lock:
            # That all brokers are down follows from what was said of each.
            if error.name() != "_ALL_BROKERS_DOWN" or not self._said:
                refused = error.code() in REFUSED_CODES
                self._said = (
                    self.refused(error)
                    if refused
                    else explain(self._config, error.name(), error.str())
                )

    @property
    def who(self) -> str:
        """The client as its brokers see it, where that is said in the configuration."""
        user = self._config.get("sasl.username")
        servers = self._config["bootstrap.servers"]
        return f"user {user!r} at {servers}" if user else f"this client at {servers}"

    @property
    def silence(self) -> str:
        """What to say of brokers of which nothing was heard at all."""
        return _silence(self._config["bootstrap.servers"])

    def refused(self, error: KafkaError) -> str:
        """Say that rights are missing, and where to see which."""
        return f"{self.who} may not do this: {error.str().rstrip('.')}: {GRANTS_REMEDY}"

    def said(self, otherwise: str) -> str:
        """What was heard last, or else what the caller knows."""
        with self._lock:
            return self._said or otherwise


def explain(config: Mapping[str, Any], name: str, text: str) -> str:
    """Tell in our settings' names what stands between a client and its brokers.

    ``config`` is the client's, ``name`` and ``text`` are librdkafka's error.
    """
    found = _SAID.match(text)
    address, what = (found["address"], found["what"]) if found else ("", text)
    servers = config["bootstrap.servers"]
    protocol = config["security.protocol"]
    where = address or servers
    if name == "_AUTHENTICATION":
        return (
            f"{where} refuses user {config.get('sasl.username', '')!r}: see to"
            " WATTOKEN_KAFKA_SASL_USERNAME, WATTOKEN_KAFKA_SASL_PASSWORD_FILE and"
            f" WATTOKEN_KAFKA_SASL_MECHANISM ({_short(what)})"
        )
    if "certificate verify failed" in what:
        return (
            f"the certificate of {where} is not one to trust: see to WATTOKEN_KAFKA_SSL_CA_FILE"
            f" ({config.get('ssl.ca.location', 'not set')}), and that the certificate has the name"
            " in WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"
        )
    if any(part in what for part in _OUR_CERTIFICATE_REFUSED):
        return (
            f"{where} refuses our certificate: see to WATTOKEN_KAFKA_SSL_CERTIFICATE_FILE"
            f" ({config.get('ssl.certificate.location', 'not set')}) ({_short(what)})"
        )
    if "Connection refused" in what:
        return f"nothing listens at {where}: see to WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"
    if name == "_RESOLVE" or "Failed to resolve" in what:
        return f"there is no host of the name in {where}: see to WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"
    if "timed out" in what.lower():
        return _silence(where)
    if name == "_ALL_BROKERS_DOWN" or any(part in what for part in _OTHER_PROTOCOL):
        return (
            f"{servers} ends the connection: is it up, and does it speak {protocol}"
            " (WATTOKEN_KAFKA_SECURITY_PROTOCOL) there?"
        )
    return f"{where}: {_short(what)}" if address else _short(what)


def _silence(where: str) -> str:
    return (
        f"nothing comes from {where} in time: is it up, and does no firewall stand between"
        " (WATTOKEN_KAFKA_BOOTSTRAP_SERVERS)?"
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}…"
