"""Our logs and those of libraries are one line of JSON an entry, with the service's name in it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from services.platform.log import configure_logging, get_logger


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging is the whole process's: what a test sets up is no other test's."""
    configured, before = structlog.is_configured(), structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with structlog.contextvars.bound_contextvars(service="none"):
        yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    if configured:
        structlog.configure(**before)


def entries(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == "", "what a command prints must stay readable by others"
    return [json.loads(line) for line in captured.err.splitlines()]


def test_an_entry_is_a_line_of_json_with_what_was_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("ingest", level="INFO", log_format="json")
    get_logger("ours").bind(partition=3).warning("lost\npartition", topic="usage")
    (entry,) = entries(capsys)
    at = datetime.fromisoformat(entry.pop("time"))
    assert at.tzinfo == UTC
    assert entry == {
        "event": "lost\npartition",
        "level": "warning",
        "service": "ingest",
        "partition": 3,
        "topic": "usage",
    }


def test_a_librarys_entry_looks_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("meter", level="INFO", log_format="json")
    logging.getLogger("library.part").error("broker %s is gone", "b1")
    (entry,) = entries(capsys)
    assert datetime.fromisoformat(entry.pop("time")).tzinfo == UTC
    assert entry == {"event": "broker b1 is gone", "level": "error", "service": "meter"}


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("meter", level="INFO", log_format="json")
    try:
        raise KeyError("column")
    except KeyError:
        get_logger("ours").exception("collector raised")
        logging.getLogger("library").exception("task raised")
    for entry, event in zip(entries(capsys), ["collector raised", "task raised"], strict=True):
        assert entry["event"] == event
        assert entry["exception"].startswith("Traceback")
        assert entry["exception"].endswith("KeyError: 'column'")


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("meter", level="WARNING", log_format="json")
    for logger in (get_logger("ours"), logging.getLogger("library")):
        logger.info("small talk")
        logger.warning("trouble")
    assert [entry["event"] for entry in entries(capsys)] == ["trouble"] * 2


def test_set_up_again_each_entry_is_still_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("first", level="INFO", log_format="json")
    configure_logging("second", level="INFO", log_format="json")
    get_logger("ours").info("once")
    logging.getLogger("library").info("once")
    assert [entry["service"] for entry in entries(capsys)] == ["second"] * 2


def test_for_people_it_is_text_without_colours_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("ingest", level="INFO", log_format="console")
    get_logger("ours").info("ready", port=8080)
    (line,) = capsys.readouterr().err.splitlines()
    assert "ready" in line
    assert "port=8080" in line
    assert "service=ingest" in line
    assert "\x1b" not in line


def test_what_others_wrote_moves_no_cursor_and_begins_no_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("ingest", level="INFO", log_format="console")
    get_logger("ours").warning("said", model="m\x1b[2J\u202ex")
    logging.getLogger("library").warning("a\x1b[2J\nforged")
    said = capsys.readouterr().err
    assert r"m\x1b[2J\u202ex" in said and r"a\x1b[2J\x0aforged" in said
    assert "\x1b[2J" not in said and "\nforged" not in said


def test_what_a_command_logs_by_the_way_is_not_in_its_answer() -> None:
    text = "from services.platform.log import get_logger; get_logger('x').warning('by the way')"
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert said.stdout == ""
    assert "by the way" in said.stderr
