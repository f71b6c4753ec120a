"""Names in tables: shown escaped, and no markup; and no command prints past these functions."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from services.platform.printable import not_printable
from services.platform.terminal import cell, console

ROOT = Path(__file__).parents[4]
HOSTILE = "gpt\x1b[2J\u202e[red]x[/]"
#: They print nothing that others wrote, or are the functions themselves.
OWN = {
    "services/platform/output.py",
    "services/platform/terminal.py",
    "services/platform/progress.py",
    # Run alone, by a Python that has nothing of ours.
    "services/local_stack/clickhouse_server.py",
    "services/local_stack/maven_client.py",
}
PRINTING = {"print", "typer.echo", "sys.stdout.write", "Console"}


def test_a_hostile_name_in_a_table_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("model", title=cell(HOSTILE))
    table.add_row(cell(HOSTILE))
    console(width_of_a_file=80).print(table)
    out = capsys.readouterr().out
    assert out.count(r"gpt\x1b[2J\u202e[red]x[/]") == 2
    assert not_printable(out.replace("\n", "")) is None


def test_what_was_not_escaped_is_so_at_the_latest_there(capsys: pytest.CaptureFixture[str]) -> None:
    made = console(width_of_a_file=80)
    made.print("name \x1b]0;title\x07 \u202e", markup=False)
    out = capsys.readouterr().out
    assert not_printable(out.replace("\n", "")) is None
    assert r"\x1b]0;title" in out


def test_colours_of_our_own_stay() -> None:
    made = Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    hook = console()._render_hooks[0]
    made.push_render_hook(hook)
    made.print("[red]differs[/red]")
    assert made.file.getvalue().startswith("\x1b[31mdiffers")  # type: ignore[attr-defined]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTING:
            yield node


def is_safe(call: ast.Call) -> bool:
    """JSON is ASCII, and a text of our own is ours."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.IfExp):
        return all(
            ast.unparse(one).startswith("json.dumps(") or ast.unparse(one) == "text"
            for one in (first.body, first.orelse)
        )
    return isinstance(first, ast.Constant) or (
        isinstance(first, ast.Call) and ast.unparse(first.func) == "json.dumps"
    )


def test_commands_print_through_these_functions_only() -> None:
    past = [
        f"{file.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)[:60]}"
        for file in (ROOT / "services").rglob("*.py")
        if str(file.relative_to(ROOT)) not in OWN
        for call in calls(ast.parse(file.read_text()))
        if not is_safe(call)
    ]
    assert past == []
