"""Before a command runs: whose addresses it has, and the line on stderr."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from services.cli import app
from services.cli.stack_line import OWN_STACK, REACH_NOTHING, follow
from services.platform.stack_here import write_env_file
from tests.unit.services.platform.test_stack_here import ENV, running


def names(group: typer.core.TyperGroup, before: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found |= names(command, f"{before}{name} ")
        else:
            found.add(f"{before}{name}")
    return found


def test_what_is_told_nothing_of_the_stack_are_commands() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert names(group) >= OWN_STACK | REACH_NOTHING


def test_a_command_goes_by_the_stack_here_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path / "one") as state_dir:
        write_env_file(state_dir, ENV, tmp_path)
        environ: dict[str, str] = {}
        follow(["statement", "acme", "2026-11"], environ, tmp_path)
    assert environ["WATTOKEN_CLICKHOUSE_PORT"] == "21002"
    out, err = capsys.readouterr()
    assert out == "", "stdout is for what was asked"
    assert err.startswith("wattoken: talks to the stack that runs here: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", ["up", "demo --keep", "statement --help", "--version"])
def test_what_makes_its_own_stack_and_help_are_left_alone(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path / "one") as state_dir:
        write_env_file(state_dir, ENV, tmp_path)
        environ: dict[str, str] = {}
        follow(words.split(), environ, tmp_path)
    assert environ == {}
    assert capsys.readouterr().err == ""


def test_what_reaches_nothing_is_quiet_and_knows_the_keys_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path / "one") as state_dir:
        write_env_file(state_dir, {**ENV, "WATTOKEN_INGEST_KEYS_FILE": "/k.yaml"}, tmp_path)
        environ: dict[str, str] = {}
        follow(["keys", "list"], environ, tmp_path)
    assert environ["WATTOKEN_INGEST_KEYS_FILE"] == "/k.yaml"
    assert capsys.readouterr().err == ""
