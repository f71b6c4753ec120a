"""A value that is wrong, or missing, is refused with a line that names it."""

from __future__ import annotations

import json

import pytest

from tests.helm.chart import LEAST, Chart, Refused, Values, at, of_size, over

SASL = over(
    {"kafka": {"securityProtocol": "SASL_SSL"}},
    {
        "kafka": {
            "users": {
                user: {"username": user, "existingSecret": user}
                for user in ("migrate", "ingest", "aggregator", "exporter")
            }
        }
    },
)
#: What is wrong -> the values that make it so, and what the message must say.
CONTRADICTIONS: dict[str, tuple[Values, str]] = {
    "no brokers": (at("kafka.bootstrapServers", ""), "kafka.bootstrapServers is missing"),
    "no database": (at("clickhouse.host", ""), "clickhouse.host is missing"),
    "no API keys": (at("ingest.keys.existingSecret", ""), "ingest.keys"),
    "half of the API keys": (
        at("ingest.keys", {"existingSecret": "", "file": "keys: []"}),
        "ingest.keys",
    ),
    "API keys twice": (at("ingest.keys.file", "keys: []"), "ingest.keys.file or .pepper is set"),
    "more workers than partitions": (
        {"topic": {"partitions": 4}, "aggregator": {"replicas": 5}},
        "aggregator.replicas is 5, more than topic.partitions 4",
    ),
    "more workers by lag than partitions": (
        {"aggregator": {"autoscaling": {"enabled": True, "maxReplicas": 13}}},
        "aggregator.autoscaling.maxReplicas is 13, more than topic.partitions 12",
    ),
    "least workers above most": (
        {"aggregator": {"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 8}}},
        "aggregator.autoscaling.minReplicas is 9",
    ),
    "half of another topic": (
        {"aggregator": {"autoscaling": {"enabled": True, "topic": "usage.events.v2"}}},
        "aggregator.autoscaling.topic and .consumerGroup go together",
    ),
    "least ingest above most": (
        {"ingest": {"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 8}}},
        "ingest.autoscaling.minReplicas is 9",
    ),
    "a share of nothing": (
        {"ingest": {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}},
        "ingest.resources.requests.cpu is missing",
    ),
    "an ingress without a name": (at("ingest.ingress.enabled", True), "ingest.ingress.host"),
    "SASL without a user": (
        over(SASL, at("kafka.users.exporter.username", "")),
        "kafka.users.exporter.username is missing",
    ),
    "SASL without a password": (
        over(SASL, at("kafka.users.ingest.existingSecret", "")),
        "kafka.users.ingest has no password: name a Secret in kafka.users.ingest.existingSecret",
    ),
    "a Kafka password twice": (
        over(SASL, at("kafka.users.migrate.password", "made-up")),
        "kafka.users.migrate.password is set, and so is kafka.users.migrate.existingSecret",
    ),
    "a user without SASL": (
        at("kafka.users.aggregator.username", "me"),
        "kafka.users.aggregator has a user, but kafka.securityProtocol PLAINTEXT has no SASL",
    ),
    "Kafka's authority without TLS": (
        at("kafka.ca.secret", "ca"),
        "kafka.ca.secret is set, but kafka.securityProtocol PLAINTEXT has no TLS",
    ),
    "Kafka's authority with SASL and no TLS": (
        over(SASL, {"kafka": {"securityProtocol": "SASL_PLAINTEXT", "ca": {"secret": "ca"}}}),
        "kafka.ca.secret is set, but kafka.securityProtocol SASL_PLAINTEXT has no TLS",
    ),
    "a certificate without TLS": (
        at("kafka.users.exporter.certificateSecret", "us"),
        "kafka.users.exporter.certificateSecret is set",
    ),
    "ClickHouse's authority without HTTPS": (
        at("clickhouse.ca.secret", "ca"),
        "clickhouse.ca.secret is set, but clickhouse.secure is false",
    ),
    "ClickHouse's certificate without HTTPS": (
        at("clickhouse.users.exporter.certificateSecret", "us"),
        "clickhouse.users.exporter.certificateSecret is set, but clickhouse.secure is false",
    ),
    "no ClickHouse password": (
        at("clickhouse.users.aggregator.existingSecret", ""),
        "clickhouse.users.aggregator has no password",
    ),
    "a ClickHouse password twice": (
        at("clickhouse.users.aggregator.password", "made-up"),
        "clickhouse.users.aggregator.password is set, and so is",
    ),
    "a catalogue twice": (
        at("catalogue", {"existingConfigMap": "mine", "files": {"models.yaml": "a"}}),
        "catalogue.files is set, and so is catalogue.existingConfigMap",
    ),
    "an exporter slower than a scrape": (
        at("exporter.timeoutSeconds", 10),
        "exporter.timeoutSeconds must be below monitoring.scrapeTimeoutSeconds",
    ),
    "a scrape longer than its interval": (
        at("monitoring", {"scrapeSeconds": 5, "scrapeTimeoutSeconds": 10}),
        "monitoring.scrapeTimeoutSeconds must not be above monitoring.scrapeSeconds",
    ),
    "Prometheus shut out": (
        {
            "networkPolicy": {"enabled": True, "ingestFrom": [{"podSelector": {}}]},
            "monitoring": {"serviceMonitor": True},
        },
        "networkPolicy.metricsFrom is missing",
    ),
}

#: Where -> a value of no use there.
SHAPES: dict[str, object] = {
    "kafka.bootstrapServers": "kafka",
    "kafka.securityProtocol": "TLS",
    "kafka.saslMechanism": "GSSAPI",
    "kafka.users.simulator": {},
    "clickhouse.port": 70000,
    "clickhouse.secure": "yes",
    "topic.partitions": 0,
    "topic.retentionDays": 1,
    "maxEventAgeDays": 0,
    "image.digest": "latest",
    "image.pullPolicy": "Sometimes",
    "logs.level": "LOUD",
    "ingest.replica": 3,
    "ingest.replicas": "3",
    "ingest.autoscaling.targetCpuPercent": 101,
    "ingest.service.type": "ExternalName",
    "ingest.podDisruptionBudget.maxUnavailable": 0,
    "ingest.resources.requests.memory": "a lot",
    "ingest.settings.WATTOKEN_INGEST_LINGER_MS": [5],
    "ingest.extraEnv": [{"value": "nameless"}],
    "aggregator.autoscaling.minReplicas": 0,
    "aggregator.persistence.whenScaled": "Keep",
    "aggregator.terminationGracePeriodSeconds": 5,
    "exporter.replicas": 2,
    "topologySpread.zones": "always",
    "networkPolicy.ingestFrom": [{"podSelectors": {}}],
    "monitoring.scrapeSeconds": 0,
    "monitorng": {},
}


@pytest.mark.parametrize("wrong", CONTRADICTIONS)
def test_values_that_contradict_each_other_are_named(chart: Chart, wrong: str) -> None:
    values, told = CONTRADICTIONS[wrong]
    with pytest.raises(Refused) as refused:
        chart.render(values)
    # Helm says where in the chart that is; what we say ends that line.
    (line,) = [line for line in str(refused.value).splitlines() if line.startswith("Error: ")]
    assert told in line


@pytest.mark.parametrize("path", SHAPES)
def test_a_value_of_a_wrong_shape_is_named(chart: Chart, path: str) -> None:
    with pytest.raises(Refused) as refused:
        chart.render(at(path, SHAPES[path]))
    parent, _, key = path.rpartition(".")
    above = parent and f"/{parent.replace('.', '/')}"
    named = (f"at '/{path.replace('.', '/')}", f"at '{above}'")
    message = str(refused.value)
    assert named[0] in message or (named[1] in message and key in message), message


def test_the_sizes_that_say_where_everything_is_need_nothing_else(chart: Chart) -> None:
    for size in ("laptop", "team"):
        assert chart.text(of_size(size))
    for missing in ("kafka.bootstrapServers", "clickhouse.host"):
        with pytest.raises(Refused, match=f"{missing} is missing"):
            chart.text(of_size("fleet"), at(missing, ""))


def test_nothing_at_all_is_refused_by_the_first_that_is_missing(chart: Chart) -> None:
    with pytest.raises(Refused, match=r"kafka\.bootstrapServers is missing"):
        chart.text({})


def test_a_cluster_that_is_too_old_is_refused(chart: Chart) -> None:
    assert chart.text(LEAST, options=["--kube-version", "1.30.0"])
    with pytest.raises(Refused, match=r"requires kubeVersion: >=1\.30"):
        chart.text(LEAST, options=["--kube-version", "1.29.9"])


@pytest.mark.parametrize(
    ("off", "needs_not"),
    [
        ("ingest", {"ingest": {"keys": {"existingSecret": ""}}}),
        ("exporter", {"clickhouse": {"users": {"exporter": {"existingSecret": ""}}}}),
        ("aggregator", {"clickhouse": {"users": {"aggregator": {"existingSecret": ""}}}}),
        ("migrate", {"clickhouse": {"users": {"migrate": {"existingSecret": ""}}}}),
    ],
)
def test_what_is_off_needs_nothing(chart: Chart, off: str, needs_not: Values) -> None:
    assert chart.render(needs_not, at(f"{off}.enabled", False))
    with pytest.raises(Refused):
        chart.render(needs_not)


def test_the_least_is_the_least() -> None:
    assert "password" not in json.dumps(LEAST)
