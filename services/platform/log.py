"""Structured logs: a constant message and key=value fields, never payloads or keys."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from services.platform.printable import shown

# A command is no service: what it logs by the way stands beside its answer, not in it.
structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def configure_logging(service: str, *, level: str, log_format: str) -> None:
    """Send our logs and those of the libraries to stderr, one line an entry."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.contextvars.merge_contextvars,
        structlog.processors.format_exc_info,
    ]
    # JSON escapes what is not printable by itself.
    last: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [printable, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)


def printable(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Show what others wrote as it is, on one line; tracebacks, which are ours, keep theirs."""
    return {
        name: shown(value) if isinstance(value, str) and name != "exception" else value
        for name, value in event.items()
    }


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; bind what stays the same with ``.bind(partition=…)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
