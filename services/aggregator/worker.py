"""A worker's process: it finds its log, runs the app, and goes over to the log's successor."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Final

from services.aggregator.app import MeterApp, create_app
from services.aggregator.decoding.process import GC_THRESHOLDS
from services.aggregator.metrics import REGISTRY, SPANS
from services.aggregator.settings import AggregatorSettings
from services.aggregator.succession.log_search import wait_for_log
from services.platform.errors import ConfigurationError, UnavailableError
from services.platform.gc_tuning import tune_gc
from services.platform.health import HealthServer
from services.platform.kafka_questions import KafkaQuestions
from services.platform.log import configure_logging, get_logger
from services.platform.malloc_tuning import map_large_arrays
from services.platform.schema_state import look_at_schema
from services.platform.settings import read_settings
from services.platform.trace_start import start_traces

logger = get_logger(__name__)

#: A run of ids is an open file: some twenty for each partition, of as many as one worker may have.
FILES_WANTED: Final = 16_384


def run() -> None:
    """Run a worker until it is told to stop. Raises `WattokenError` when it had to stop.

    When the log is metered to its end and has a successor, the process starts again with that. So
    it does where the database went back in time, maybe to before an earlier log had ended.
    """
    settings = read_settings(AggregatorSettings)
    allow_many_files()
    map_large_arrays()
    configure_logging("aggregator", level=settings.log_level, log_format=settings.log_format)
    traces = start_traces(settings, "aggregator", SPANS)
    waits_for: list[str] = []
    unready: list[Callable[[], str | None]] = [
        lambda: ": ".join(["looking for the log", *waits_for[-1:]])
    ]
    health = HealthServer(
        settings.aggregator_host,
        settings.aggregator_port,
        REGISTRY,
        live=lambda: None,
        ready=lambda: unready[-1](),
    )
    health.start()
    questions = KafkaQuestions(settings)
    try:
        tell_what_is_away(settings, questions, waits_for.append)
        lineage = wait_for_log(settings, questions, waits_for.append)
        app = create_app(settings, lineage, questions, traces)
        unready.append(app.unready)
        told = meter(app)
    finally:
        questions.close()
        health.stop()
        traces.stop()
    if app.failure is not None:
        raise app.failure
    if app.starts_again and not told:
        # The same process to whoever looks after it, with nothing of the old log in it.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def tell_what_is_away(
    settings: AggregatorSettings, questions: KafkaQuestions, told: Callable[[str], None]
) -> None:
    """Look once at Kafka and ClickHouse, for whoever watches the start: what is away is told soon.

    ``told`` is handed the reason. The worker waits for them afterwards, more patiently. Raises
    `ConfigurationError` where tables are missing.
    """
    with ThreadPoolExecutor(2) as places:
        looks = [
            places.submit(questions.require_broker),
            places.submit(look_at_tables, settings),
        ]
        for look in as_completed(looks):
            try:
                look.result()
            except UnavailableError as error:
                logger.warning("retrying", what="find the log", error=str(error))
                told(str(error))


def look_at_tables(settings: AggregatorSettings) -> None:
    """See that all migrations of this version were applied, and tell of those of another.

    Raises `UnavailableError`, `ConfigurationError` where some are missing. A text that differs is
    told only: the database may be just being migrated to a newer version, beside this worker.
    """
    state = look_at_schema(settings)
    if state is None:
        return
    if state.missing:
        raise ConfigurationError(f"the database {settings.clickhouse_database} {state.behind}")
    if (remark := state.ahead or state.behind) is not None:
        logger.warning("another schema", database=settings.clickhouse_database, remark=remark)


def allow_many_files() -> None:
    """Let this process have as many files open as the system allows it: each run of ids is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def meter(app: MeterApp) -> bool:
    """Run the worker of an app to its end; say whether somebody else told it to end."""
    app.decoders.start()
    tune_gc(*GC_THRESHOLDS)
    worker = app.Worker(loglevel=None, override_logging=False, redirect_stdouts=False, quiet=True)
    told: list[signal.Signals] = []
    app.end_worker = lambda: worker._schedule_shutdown(signal.SIGTERM)
    for number, name in ((signal.SIGTERM, "_on_sigterm"), (signal.SIGINT, "_on_sigint")):
        setattr(worker, name, partial(_told, told, number, getattr(worker, name)))
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        if app.failure is None and end.code:
            sys.exit(end.code)
    finally:
        app.decoders.close()
    return bool(told)


def _told(told: list[signal.Signals], number: signal.Signals, act: Callable[[], None]) -> None:
    told.append(number)
    act()
