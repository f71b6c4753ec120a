"""`wattoken canary`: the watch, its metrics and its health, until it is told to stop."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from services.canary.clients import Exporter, Http, Ingest
from services.canary.metrics import CanaryMetrics
from services.canary.settings import CanarySettings
from services.canary.watch import Watch
from services.platform.errors import ConfigurationError
from services.platform.health import HealthServer
from services.platform.log import configure_logging, get_logger
from services.platform.secret_files import secret
from services.platform.settings import read_settings

_log = get_logger(__name__)
_ENDS: Final = {signal.SIGTERM, signal.SIGINT}
#: How soon it is noticed that the watch ended by itself, which only a fault of ours does.
_LOOK_SECONDS: Final = 1.0


def run() -> None:
    """Watch until SIGTERM or SIGINT. Raises `ConfigurationError` for settings that cannot be used.

    It ends with the answer that it waits for, within WATTOKEN_CANARY_TIMEOUT_SECONDS. What is on
    its way then is found again at the next start.
    """
    settings = read_settings(CanarySettings)
    configure_logging("canary", level=settings.log_level, log_format=settings.log_format)
    metrics = CanaryMetrics()
    watch = watch_of(settings, metrics)
    health = HealthServer(
        settings.canary_host,
        settings.canary_port,
        metrics.registry,
        live=lambda: None,
        ready=watch.unready,
    )

    # Before any thread is there: all of them leave these signals to `sigtimedwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    health.start()
    with ThreadPoolExecutor(1, thread_name_prefix="watch") as pool:
        running = pool.submit(watch.run)
        try:
            while not running.done() and signal.sigtimedwait(_ENDS, _LOOK_SECONDS) is None:
                pass
        finally:
            watch.stop()
            health.stop()
        running.result()
    _log.info("canary stopped")


def watch_of(settings: CanarySettings, metrics: CanaryMetrics) -> Watch:
    """Make the watch that the settings ask for. Raises `ConfigurationError`."""
    key = secret(settings.canary_api_key, settings.canary_api_key_file)
    if not key:
        raise ConfigurationError(
            "WATTOKEN_CANARY_API_KEY_FILE: no API key is given; `wattoken keys create --tenant"
            f" {settings.canary_tenant} --region {settings.canary_tenant}` makes one"
        )
    timeout, ca_file = settings.canary_timeout_seconds, settings.canary_ca_file
    ingest = Http("WATTOKEN_CANARY_INGEST_URL", settings.canary_ingest_url, ca_file, timeout)
    exporter = Http("WATTOKEN_CANARY_EXPORTER_URL", settings.canary_exporter_url, ca_file, timeout)
    return Watch(
        settings.canary_tenant,
        Ingest(ingest, key),
        Exporter(exporter, settings.canary_tenant),
        metrics,
        round_seconds=settings.canary_round_seconds,
        missing_seconds=settings.canary_missing_seconds,
    )
