"""The database of bills as commands on whole months see it: answers may take their time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from typer.testing import CliRunner

from services.cli import app
from services.platform.clickhouse import connect
from tests.integration.test_billing import Meter

ANSWER_SECONDS = 3600.0


@contextmanager
def patient(meter: Meter) -> Iterator[Meter]:
    """The same meter with a client that waits as long as those commands do."""
    client = connect(meter.database.settings, answer_seconds=ANSWER_SECONDS)
    with closing(client):
        yield replace(meter, client=client)


def run(meter: Meter, *arguments: str) -> str:
    """Run a command in this process and return its standard output; it must not fail."""
    ran = CliRunner().invoke(app, arguments, env=meter.database.env)
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return str(ran.stdout)
