"""A pipeline whose topic and tables are made by `wattoken migrate` in this process.

As a process of its own, each reads what this one has read already: modules and the catalogue with
its price lists, two thirds of what it takes. There is one for most files of tests; tests of the
command itself, the demo and `wattoken up` run it as people do.
"""

from __future__ import annotations

from typer.testing import CliRunner

from services.cli import app
from services.local_stack.errors import StackError
from services.local_stack.pipeline import Pipeline


class PipelineMigratedHere(Pipeline):
    """As `Pipeline`; what migrates before the services start is no process."""

    def _migrate(self, *options: str) -> None:
        ran = CliRunner().invoke(app, ["migrate", *options], env=self.env)
        if ran.exit_code != 0:
            raise StackError(f"`wattoken migrate` failed: {ran.exception}\n{ran.output}")
