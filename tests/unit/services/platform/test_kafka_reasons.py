"""What librdkafka says about its connections, told in our settings' names.

The texts are librdkafka 2.16's, as it said them of a real broker; `tests/integration/test_secured`
holds the rest of the way.
"""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from services.platform.kafka_reasons import Reasons, explain

CONFIG = {
    "bootstrap.servers": "kafka:9093",
    "security.protocol": "SASL_SSL",
    "sasl.username": "ingest",
    "ssl.ca.location": "/etc/ca.pem",
}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "_SSL",
            "sasl_ssl://kafka:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::"
            "certificate verify failed: broker certificate could not be verified, verify that"
            " ssl.ca.location is correctly configured (after 5ms in state SSL_HANDSHAKE)",
            ["kafka:9093", "WATTOKEN_KAFKA_SSL_CA_FILE (/etc/ca.pem)"],
        ),
        (
            "_AUTHENTICATION",
            "sasl_ssl://kafka:9093/bootstrap: SASL authentication error: Authentication failed:"
            " Invalid username or password (after 302ms in state AUTH_REQ)",
            ["kafka:9093 refuses user 'ingest'", "WATTOKEN_KAFKA_SASL_PASSWORD_FILE"],
        ),
        (
            "_TRANSPORT",
            "ssl://kafka:9094/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls"
            " alert bad certificate: SSL alert number 42 (after 1ms in state APIVERSION_QUERY)",
            ["kafka:9094 refuses our certificate", "WATTOKEN_KAFKA_SSL_CERTIFICATE_FILE"],
        ),
        (
            "_TRANSPORT",
            "sasl_ssl://127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection"
            " refused (after 0ms in state CONNECT)",
            ["nothing listens at 127.0.0.1:1", "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"],
        ),
        (
            "_TRANSPORT",
            "10.0.0.9:9093/bootstrap: Connection setup timed out in state CONNECT (after 30028ms"
            " in state CONNECT)",
            ["nothing comes from 10.0.0.9:9093 in time", "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"],
        ),
        (
            "_RESOLVE",
            "kafka.invalid:9092/bootstrap: Failed to resolve 'kafka.invalid:9092': Name or service"
            " not known (after 3ms in state CONNECT)",
            ["kafka.invalid:9092", "WATTOKEN_KAFKA_BOOTSTRAP_SERVERS"],
        ),
        (
            "_ALL_BROKERS_DOWN",
            "1/1 brokers are down",
            ["kafka:9093", "does it speak SASL_SSL (WATTOKEN_KAFKA_SECURITY_PROTOCOL)"],
        ),
        ("_TIMED_OUT", "something else", ["something else"]),
    ],
)
def test_it_names_address_setting_and_remedy(name: str, text: str, told: list[str]) -> None:
    said = explain(CONFIG, name, text)
    for part in told:
        assert part in said, said
    assert "\n" not in said
    assert "state" not in said, "the client's own business"


def test_that_all_are_down_hides_no_reason() -> None:
    reasons = Reasons(CONFIG)
    assert reasons.said("time ran out") == "time ran out"
    reasons.note(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert "does it speak" in reasons.said("")
    refused = "sasl_ssl://kafka:9093/bootstrap: Connect failed: Connection refused"
    reasons.note(KafkaError(KafkaError._TRANSPORT, refused))
    reasons.note(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert "nothing listens" in reasons.said("")
