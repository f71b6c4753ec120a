"""A database in the ClickHouse under test, with all that `wattoken migrate` makes there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from services.cli import app
from services.local_stack.ports import LOOPBACK
from services.local_stack.services import wattoken_command
from services.platform.catalogue import read_catalogue, store_catalogue
from services.platform.clickhouse import connect
from services.platform.migrate import migrate_tables
from services.platform.settings import ClickHouseSettings

COMMAND_TIMEOUT_SECONDS = 180
#: A question that takes long beside other tests is no fault of what is tested.
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Database:
    """Where it is, and the catalogue it holds; ``port`` of None: ClickHouse is in this process."""

    name: str
    port: int | None
    catalogue_dir: Path | None = None

    @property
    def env(self) -> dict[str, str]:
        """Environment that points any Wattoken command here."""
        env = {"WATTOKEN_CLICKHOUSE_HOST": LOOPBACK, "WATTOKEN_CLICKHOUSE_DATABASE": self.name}
        env["WATTOKEN_CLICKHOUSE_TIMEOUT_SECONDS"] = str(PATIENCE_SECONDS)
        if self.port is not None:
            env["WATTOKEN_CLICKHOUSE_PORT"] = str(self.port)
        if self.catalogue_dir is not None:
            env["WATTOKEN_CATALOGUE_DIR"] = str(self.catalogue_dir)
        return env

    @property
    def settings(self) -> ClickHouseSettings:
        """What services are told of it."""
        return ClickHouseSettings(
            clickhouse_host=LOOPBACK,
            clickhouse_port=self.port or 0,
            clickhouse_database=self.name,
            clickhouse_timeout_seconds=PATIENCE_SECONDS,
        )

    def connect(self) -> closing[Client]:
        """A connection as services have one, as a context manager."""
        return closing(connect(self.settings))

    def migrate(self) -> list[str]:
        """Do what `wattoken migrate` does to ClickHouse; gives the lines it reports."""
        lines: list[str] = []
        migrate_tables(self.settings, lines.append)
        store_catalogue(self.settings, read_catalogue(self.catalogue_dir), lines.append)
        return lines

    def run(self, *arguments: str) -> str:
        """Run a `wattoken` command on it and return its standard output; it must not fail."""
        if self.port is None:
            # Another process would not find it.
            ran = CliRunner().invoke(app, arguments, env=self.env)
            assert ran.exit_code == 0, (ran.output, ran.exception)
            return str(ran.stdout)
        done = subprocess.run(
            wattoken_command(*arguments),
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


#: Makes a migrated database; takes its name, and a folder with a catalogue of its own.
DatabaseFactory = Callable[..., Database]
