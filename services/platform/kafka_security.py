"""TLS and SASL towards Kafka, for librdkafka and for aiokafka, which say it differently."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from services.platform.certificate_files import CertificateFile, file_options
from services.platform.errors import ConfigurationError
from services.platform.secret_files import read_secret, secret

if TYPE_CHECKING:
    from services.platform.settings import KafkaSettings

_KEY: Final = "ssl.key.location"
_CERTIFICATE: Final = "ssl.certificate.location"
_CA: Final = "ssl.ca.location"
_KEY_PASSWORD: Final = "ssl.key.password"


def security_config(settings: KafkaSettings) -> dict[str, Any]:
    """What librdkafka is to know of protocol, user and certificates.

    Raises `ConfigurationError`, naming the setting, where one is missing that another wants, or a
    file cannot be read.
    """
    protocol = settings.kafka_security_protocol
    config: dict[str, Any] = {"security.protocol": protocol}
    if protocol.startswith("SASL"):
        if not settings.kafka_sasl_username:
            raise ConfigurationError(
                f"WATTOKEN_KAFKA_SECURITY_PROTOCOL is {protocol}:"
                " set WATTOKEN_KAFKA_SASL_USERNAME and WATTOKEN_KAFKA_SASL_PASSWORD_FILE"
            )
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": secret(
                settings.kafka_sasl_password, settings.kafka_sasl_password_file
            ),
        }
    config |= _certificates(settings)
    # Seen here, for librdkafka and aiokafka would each say it in words of their own.
    ssl_context(config)
    return config


def _certificates(settings: KafkaSettings) -> dict[str, Any]:
    """The files of a TLS connection, and the password of the key."""
    protocol = settings.kafka_security_protocol
    no_tls = (
        f"WATTOKEN_KAFKA_SECURITY_PROTOCOL is {protocol}, which has no TLS: set it to SSL or"
        " SASL_SSL"
    )
    config: dict[str, Any] = {
        **file_options(
            CertificateFile(_CA, "WATTOKEN_KAFKA_SSL_CA_FILE", settings.kafka_ssl_ca_file),
            CertificateFile(
                _CERTIFICATE,
                "WATTOKEN_KAFKA_SSL_CERTIFICATE_FILE",
                settings.kafka_ssl_certificate_file,
            ),
            CertificateFile(_KEY, "WATTOKEN_KAFKA_SSL_KEY_FILE", settings.kafka_ssl_key_file),
            None if protocol.endswith("SSL") else no_tls,
        )
    }
    if config and settings.kafka_ssl_key_password_file is not None:
        config[_KEY_PASSWORD] = read_secret(settings.kafka_ssl_key_password_file)
    return config


def ssl_context(config: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Make of librdkafka's configuration what Python's TLS takes; None where there is no TLS.

    Raises `ConfigurationError` where a file is no certificate or key, or they do not fit.
    """
    if not config["security.protocol"].endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=config.get(_CA))
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"WATTOKEN_KAFKA_SSL_CA_FILE: {config.get(_CA)} holds no certificate in PEM"
        ) from error
    if _CERTIFICATE in config:
        _load_pair(context, config)
    return context


def _load_pair(context: ssl.SSLContext, config: Mapping[str, Any]) -> None:
    # Text, and never None: OpenSSL would ask the terminal for a password that is not given.
    password = config.get(_KEY_PASSWORD, "")
    try:
        context.load_cert_chain(config[_CERTIFICATE], config[_KEY], password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigurationError(
            "WATTOKEN_KAFKA_SSL_CERTIFICATE_FILE, WATTOKEN_KAFKA_SSL_KEY_FILE and"
            " WATTOKEN_KAFKA_SSL_KEY_PASSWORD_FILE do not fit:"
            f" {config[_CERTIFICATE]}, {config[_KEY]}: {getattr(error, 'reason', None) or error}"
        ) from None


def aiokafka_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Say to aiokafka what `security_config` says to librdkafka."""
    options: dict[str, Any] = {"security_protocol": config["security.protocol"]}
    if (context := ssl_context(config)) is not None:
        options["ssl_context"] = context
    if "sasl.mechanism" in config:
        options |= {
            "sasl_mechanism": config["sasl.mechanism"],
            "sasl_plain_username": config["sasl.username"],
            "sasl_plain_password": config["sasl.password"],
        }
    return options
