"""Settings are read from the environment; a wrong one is told by the name of its variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.platform.errors import ConfigurationError
from services.platform.settings import ClickHouseSettings, KafkaSettings, Settings, read_settings


def test_the_environment_says_it_under_our_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_TOPIC", "of somebody else")
    monkeypatch.setenv("WATTOKEN_OF_ANOTHER_SERVICE", "1")
    assert read_settings(KafkaSettings).kafka_topic == "usage.events.v1"
    monkeypatch.setenv("WATTOKEN_KAFKA_TOPIC", "usage")
    monkeypatch.setenv("WATTOKEN_KAFKA_SSL_CA_FILE", "/etc/ca.pem")
    settings = read_settings(KafkaSettings)
    assert settings.kafka_topic == "usage"
    assert settings.kafka_ssl_ca_file == Path("/etc/ca.pem")


def test_an_empty_variable_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose files give one that is not set."""
    monkeypatch.setenv("WATTOKEN_CLICKHOUSE_PORT", "")
    monkeypatch.setenv("WATTOKEN_CLICKHOUSE_CA_FILE", "")
    settings = read_settings(ClickHouseSettings)
    assert settings.clickhouse_port == 8123
    assert settings.clickhouse_ca_file is None


def test_what_a_command_was_given_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATTOKEN_KAFKA_TOPIC", "of the environment")
    given = read_settings(KafkaSettings, kafka_topic="given", kafka_bootstrap_servers=None)
    assert given.kafka_topic == "given"
    assert given.kafka_bootstrap_servers == "127.0.0.1:9092"
    not_given = read_settings(KafkaSettings, kafka_topic=None)
    assert not_given.kafka_topic == "of the environment"


@pytest.mark.parametrize(
    ("cls", "name", "value", "why"),
    [
        (Settings, "WATTOKEN_LOG_FORMAT", "xml", "'json' or 'console'"),
        (Settings, "WATTOKEN_LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        (KafkaSettings, "WATTOKEN_KAFKA_SECURITY_PROTOCOL", "TLS", "'PLAINTEXT', 'SSL'"),
        (KafkaSettings, "WATTOKEN_KAFKA_SASL_MECHANISM", "GSSAPI", "'SCRAM-SHA-256'"),
        (ClickHouseSettings, "WATTOKEN_CLICKHOUSE_PORT", "http", "valid integer"),
        (ClickHouseSettings, "WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS", "0", "greater than 0"),
    ],
)
def test_a_value_that_cannot_be_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, cls: type[Settings], name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^bad settings: {name}: ") as caught:
        read_settings(cls)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTOKEN_CLICKHOUSE_PORT", "http")
    with pytest.raises(ConfigurationError) as caught:
        # One given on the command line is told by the variable that it stands for.
        read_settings(ClickHouseSettings, clickhouse_timeout_seconds=-1)
    first, second = str(caught.value).removeprefix("bad settings: ").split("; ")
    assert first.startswith("WATTOKEN_CLICKHOUSE_PORT: ")
    assert second.startswith("WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS: ")


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTOKEN_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("WATTOKEN_CLICKHOUSE_PASSWORD", "hunter2")
    kafka, clickhouse = read_settings(KafkaSettings), read_settings(ClickHouseSettings)
    assert "hunter2" not in f"{kafka!r} {clickhouse!r} {kafka.model_dump_json()}"
    assert kafka.kafka_sasl_password.get_secret_value() == "hunter2"
    assert clickhouse.clickhouse_password.get_secret_value() == "hunter2"


def test_settings_do_not_change_once_they_are_read() -> None:
    settings = read_settings(KafkaSettings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.kafka_topic = "another"  # type: ignore[misc]
