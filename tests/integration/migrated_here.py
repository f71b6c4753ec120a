"""A pipeline whose topic and tables are made by `wattoken migrate` in this process.

As a process of its own, each reads what this one has read already: modules and the catalogue with
its price lists, two thirds of what it takes. And its tables are a copy of those that were migrated
before on the same server (`tests.versions.template`). There is one for most files of tests; tests
of the command itself, the demo and `wattoken up` run it as people do, in an empty database.
"""

from __future__ import annotations

from types import TracebackType

from typer.testing import CliRunner, Result

from services.cli import app
from services.local_stack.errors import StackError
from services.local_stack.pipeline import Pipeline
from tests.versions.template import copy_template, drop, shipped_catalogue_kept


class PipelineMigratedHere(Pipeline):
    """As `Pipeline`; what migrates before the services start is no process."""

    def run_here(self, *arguments: str) -> Result:
        """Run a `wattoken` command on this pipeline in this process; whoever asks judges it."""
        return CliRunner().invoke(app, arguments, env=self.env)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        drop(self.database, self.infrastructure.ports.clickhouse_http)

    def _migrate(self, *options: str) -> None:
        copy_template(self.database, self.infrastructure.ports.clickhouse_http)
        with shipped_catalogue_kept():
            ran = self.run_here("migrate", *options)
        if ran.exit_code != 0:
            raise StackError(f"`wattoken migrate` failed: {ran.exception}\n{ran.output}")
