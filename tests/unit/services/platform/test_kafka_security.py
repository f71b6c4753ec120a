"""What Kafka's clients are told of TLS and SASL, and which settings do not go together."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from services.platform.errors import ConfigurationError
from services.platform.kafka_security import aiokafka_options, security_config
from services.platform.settings import KafkaSettings
from tests.secured.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def settings(**given: Any) -> KafkaSettings:
    return KafkaSettings(**{f"kafka_{name}": value for name, value in given.items()})


def test_plaintext_says_nothing_else() -> None:
    config = security_config(settings())
    assert config == {"security.protocol": "PLAINTEXT"}
    assert aiokafka_options(config) == {"security_protocol": "PLAINTEXT"}


def test_both_clients_are_told_the_same(tmp_path: Path, authority: Authority) -> None:
    password = tmp_path / "password"
    password.write_text("  secret\n")
    config = security_config(
        settings(
            security_protocol="SASL_SSL",
            sasl_username="ingest",
            sasl_password_file=password,
            ssl_ca_file=authority.certificate,
        )
    )
    assert config == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ingest",
        "sasl.password": "secret",
        "ssl.ca.location": str(authority.certificate),
    }
    options = aiokafka_options(config)
    context = options.pop("ssl_context")
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ingest",
        "sasl_plain_password": "secret",
    }
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_a_certificate_whose_key_has_a_password(tmp_path: Path, authority: Authority) -> None:
    pair = authority.client("ingest", password="of the key")
    password = tmp_path / "password"
    password.write_text("of the key\n")
    config = security_config(
        settings(
            security_protocol="SSL",
            ssl_certificate_file=pair.certificate,
            ssl_key_file=pair.key,
            ssl_key_password_file=password,
        )
    )
    assert config["ssl.key.password"] == "of the key"
    assert aiokafka_options(config)["ssl_context"] is not None


def wrong_settings(folder: Path, authority: Authority) -> dict[str, tuple[dict[str, Any], str]]:
    encrypted = authority.client("encrypted", password="right")
    pair, other = authority.client("one"), authority.client("other")
    text = folder / "text"
    text.write_text("no certificate\n")
    tls = {"security_protocol": "SSL"}
    return {
        "no user": ({"security_protocol": "SASL_SSL"}, "WATTOKEN_KAFKA_SASL_USERNAME"),
        "CA without TLS": ({"ssl_ca_file": authority.certificate}, "KAFKA_SECURITY_PROTOCOL"),
        "CA is gone": (tls | {"ssl_ca_file": folder / "gone"}, "KAFKA_SSL_CA_FILE: cannot read"),
        "CA is no CA": (tls | {"ssl_ca_file": text}, "KAFKA_SSL_CA_FILE: .* no certificate"),
        "no key": (tls | {"ssl_certificate_file": pair.certificate}, "set both or neither"),
        "no certificate": (tls | {"ssl_key_file": pair.key}, "set both or neither"),
        "key of another": (
            tls | {"ssl_certificate_file": pair.certificate, "ssl_key_file": other.key},
            "WATTOKEN_KAFKA_SSL_KEY_FILE .*do not fit",
        ),
        "no password": (
            tls | {"ssl_certificate_file": encrypted.certificate, "ssl_key_file": encrypted.key},
            "WATTOKEN_KAFKA_SSL_KEY_PASSWORD_FILE do not fit",
        ),
        "password is gone": (
            tls
            | {"ssl_certificate_file": pair.certificate, "ssl_key_file": pair.key}
            | {"ssl_key_password_file": folder / "gone"},
            "cannot read the secret file",
        ),
    }


CASES = (
    *("no user", "CA without TLS", "CA is gone", "CA is no CA", "no key", "no certificate"),
    *("key of another", "no password", "password is gone"),
)


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_go_together_is_said(case: str, tmp_path: Path, authority: Authority) -> None:
    given, message = wrong_settings(tmp_path, authority)[case]
    with pytest.raises(ConfigurationError, match=message):
        security_config(settings(**given))
