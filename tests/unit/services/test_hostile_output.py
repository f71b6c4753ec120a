"""Each command that prints names shows a hostile one escaped, on a line of its own."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.audit.findings import Difference, Findings
from services.audit.report import print_findings
from services.billing.statement_table import print_statement
from services.dead_letters import commands as letters_commands
from services.dead_letters import letters as letters_module
from services.dead_letters.letters import DeadLetter, ReasonCount, Selection
from services.ingest import unread_report
from services.ingest.keys import commands as keys_commands
from services.ingest.keys.store import KeyStore
from services.ingest.rejections.record import KeptRejection
from services.platform.printable import not_printable
from services.platform.terminal import console
from services.rejected import commands as rejected_commands
from services.rejected.reading import Place, Rejected
from services.rejected.reading import Selection as RejectedSelection
from services.simulator.audit_report import print_result
from tests.unit.services.billing.bills import adjustment, billed, line
from tests.unit.services.billing.bills import statement as metered
from tests.unit.services.simulator.test_audit_report import ROW, result

NAME = "m\x1b[2J\u202e\n[red]x"
#: As it must be found; the markup of rich is text as well.
SHOWN = r"m\x1b[2J\u202e\x0a[red]x"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def rejected(monkeypatch: pytest.MonkeyPatch) -> Rejected:
    what = KeptRejection(NOW, NAME, NAME, "native", NAME, NAME, payload=NAME)
    found = Rejected(Place(0, 1), NOW, what)
    monkeypatch.setattr(rejected_commands, "read", lambda *_: [found])
    return found


def list_rejected(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    rejected(monkeypatch)
    rejected_commands.list_rejected(RejectedSelection(), 10, as_json=False)


def show_rejected(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    rejected_commands.show_rejected(rejected(monkeypatch).place, as_json=False)


def dead_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = DeadLetter(NAME, 0, 1, NAME, NAME, NAME.encode(), 5, NOW)
    monkeypatch.setattr(letters_commands, "migrated_database", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(letters_module, "count_by_reason", lambda *_: [ReasonCount(NAME, 1, NOW)])
    monkeypatch.setattr(letters_module, "read_letters", lambda *_: [letter])


def list_dead_letters(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    dead_letters(monkeypatch)
    letters_commands.list_dead_letters(Selection(), 10, as_json=False)


def show_dead_letter(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    dead_letters(monkeypatch)
    letters_commands.show_dead_letter(0, 1, as_json=False)


def statement(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    named = {"model": NAME, "provider": NAME, "region": NAME, "tou_period": NAME}
    lines = (
        line("energy", 5, "1.20", **named),
        line("adjustment", 5, "1.20", **named),
        line("unpriced", 5, None, **named),
    )
    why = adjustment(5, "1.20", adjusts=NAME, reason=NAME, model=NAME, provider=NAME)
    bill = billed(metered(*lines, tenant=NAME, adjustments=[why], before=lines))
    print_statement(bill, console(width_of_a_file=400))


def audit(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    found = Difference("views = log", "tokens", 1, 2, region=NAME, model=NAME, tenant=NAME)
    findings = Findings(*_findings_arguments())
    findings.differences.append(found)
    print_findings(findings, console(width_of_a_file=400))


def _findings_arguments() -> tuple[Any, ...]:
    """What it needs, whatever it is: texts are the hostile name, numbers 0."""
    from dataclasses import MISSING, fields

    return tuple(
        NAME if one.type == "str" else 0
        for one in fields(Findings)
        if one.default is MISSING and one.default_factory is MISSING
    )


def simulated_audit(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    odd = replace(ROW, key=(1_773_576_000, NAME, NAME, NAME))
    whole = result()
    print_result(replace(whole, rows=[odd]), console(width_of_a_file=400))


def keys(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    store = KeyStore(folder / "keys.yaml", folder / "pepper")
    store.create(NOW, NAME, NAME, regions=(NAME,))
    keys_commands.show(folder / "keys.yaml", folder / "pepper", as_json=False)


def unread(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    monkeypatch.setattr(unread_report, "_metrics_of", lambda _: "")
    monkeypatch.setattr(unread_report, "unread_of", lambda _: Counter({(NAME, NAME): 1}))
    unread_report.show_unread(["http://x"], as_json=False)


Command = Callable[[pytest.MonkeyPatch, Path], None]
COMMANDS: tuple[Command, ...] = (
    *(list_rejected, show_rejected, list_dead_letters, show_dead_letter),
    *(statement, audit, simulated_audit, keys, unread),
)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tables are not folded, so that a name can be found."""
    monkeypatch.setenv("COLUMNS", "400")
    yield


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_hostile_name_is_shown_escaped(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(monkeypatch, tmp_path)
    out = capsys.readouterr().out
    assert not_printable(out.replace("\n", "")) is None
    assert SHOWN in out
