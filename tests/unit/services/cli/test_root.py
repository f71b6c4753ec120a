"""What holds for the whole command line."""

from __future__ import annotations

from importlib.metadata import version

from typer.testing import CliRunner

from services.cli import app


def test_it_says_which_version_it_is() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"wattoken {version('wattoken')}\n")


def test_without_a_command_it_shows_them() -> None:
    assert "aggregator" in CliRunner().invoke(app, []).output
