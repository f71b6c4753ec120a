"""How Faust is set up: the batch transport, and what is not used switched off."""

from __future__ import annotations

from typing import Any, Final

import faust

from services.aggregator.kafka.without_pauses import without_pauses
from services.aggregator.settings import AggregatorSettings
from services.platform.kafka_security import security_config, ssl_context

#: Reading a predecessor's ids may take hours.
POLL_INTERVAL_SECONDS_MAX: Final = 24 * 3600.0
#: A broker that has just started may know of no topic yet. Whoever leads the group then assigns
#: nothing, to anybody, and does so again only when its view changes: at Kafka's usual five minutes.
METADATA_AGE_MS_MAX: Final = 5_000


def faust_options(settings: AggregatorSettings) -> dict[str, Any]:
    """Options of the Faust app."""
    timeout_seconds = settings.aggregator_session_timeout_seconds
    brokers = [part.strip() for part in settings.kafka_bootstrap_servers.split(",")]
    return {
        "broker": [f"wattoken://{broker}" for broker in brokers if broker],
        "broker_credentials": credentials(settings),
        "broker_session_timeout": timeout_seconds,
        "broker_heartbeat_interval": timeout_seconds / 10,
        "broker_request_timeout": max(90.0, 3 * timeout_seconds),
        "broker_commit_interval": 2.0,
        # A long recovery is no reason to leave the group: the watchdog sees a worker that hangs.
        "broker_max_poll_interval": POLL_INTERVAL_SECONDS_MAX,
        "consumer_metadata_max_age_ms": METADATA_AGE_MS_MAX,
        # An offset that is gone must stop the worker, not make it jump.
        "consumer_auto_offset_reset": "none",
        "consumer_group_instance_id": settings.aggregator_instance_id or None,
        "consumer_max_fetch_size": settings.aggregator_fetch_bytes_max,
        # Batches, not events: a few are enough to keep the agent busy.
        "stream_buffer_maxsize": 8,
        # Acks mean nothing here, so waiting for them would only delay a rebalance.
        "stream_wait_empty": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        # Faust's own web server would listen on all interfaces.
        "web_enabled": False,
        "autodiscover": False,
        **without_pauses(),
    }


def credentials(settings: AggregatorSettings) -> Any:
    """What Faust needs for TLS and SASL; None for plaintext."""
    config = security_config(settings)
    context = ssl_context(config)
    if "sasl.mechanism" in config:
        return faust.SASLCredentials(
            mechanism=config["sasl.mechanism"],
            username=config["sasl.username"],
            password=config["sasl.password"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
