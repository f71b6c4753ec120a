"""`wattoken statement`: one tenant, or all with those named that could not be made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.billing import statement_commands
from services.billing.statement import Statement
from services.cli import app
from services.platform.errors import ConfigurationError
from tests.unit.services.billing.bills import RATES, full_statement, line, statement

TENANTS = {
    "acme": full_statement("acme"),
    "北京": full_statement("北京"),
    "euro": statement(line("energy", 5, "1", currency="EUR"), tenant="euro"),
}


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> dict[str, Statement]:
    """What is metered, without a database."""
    found = dict(TENANTS)

    def one(_client: object, tenant: str, *_: object) -> Statement:
        return found[tenant]

    def many(_client: object, tenants: Sequence[str], *_: object) -> list[Statement]:
        return [found[tenant] for tenant in tenants]

    monkeypatch.setattr(statement_commands, "migrated_database", lambda *_: nullcontext())
    monkeypatch.setattr(statement_commands, "TENANTS_AT_ONCE", 2)
    monkeypatch.setattr(statement_commands, "read_rates", lambda *_: RATES)
    monkeypatch.setattr(statement_commands, "read_tenants", lambda *_: sorted(found))
    monkeypatch.setattr(statement_commands, "read_statement", one)
    monkeypatch.setattr(statement_commands, "read_statements", many)
    return found


def run(*arguments: str, **env: str) -> Any:
    return CliRunner().invoke(app, ["statement", *arguments], env=env)


def test_a_statement_is_printed() -> None:
    done = run("acme", "2026-05")
    assert done.exit_code == 0
    assert "Amount due USD 1.90" in done.stdout


def test_a_statement_as_json_in_another_currency_with_its_day_of_issue() -> None:
    done = run("acme", "2026-05", "--json", "--currency", "JPY", "--issued", "2026-06-09")
    bill = json.loads(done.stdout)
    assert (bill["currency"], bill["issued"]) == ("JPY", "2026-06-09")
    assert Decimal(bill["total"]) == Decimal("1.899991") * Decimal("151.23")


def test_terms_come_from_the_file(tmp_path: Path) -> None:
    terms = tmp_path / "terms.yaml"
    terms.write_text("version: 1\ntaxes: [{name: VAT, percent: 19.0}]\ncurrency: CNY\n")
    done = run("acme", "2026-05", "--json", WATTOKEN_STATEMENT_SETTINGS_FILE=str(terms))
    assert isinstance(done.exception, ConfigurationError)
    assert "terms.yaml: version" in str(done.exception)
    terms.write_text('version: "1"\ntaxes: [{name: VAT, percent: 19.0}]\ncurrency: CNY\n')
    done = run("acme", "2026-05", "--json", WATTOKEN_STATEMENT_SETTINGS_FILE=str(terms))
    bill = json.loads(done.stdout)
    assert (bill["currency"], bill["taxes"][0]["percent"]) == ("CNY", "19.0")


def test_files_are_written_and_named(tmp_path: Path) -> None:
    html, lines = tmp_path / "a.html", tmp_path / "a.csv"
    done = run("acme", "2026-05", "--html", str(html), "--csv", str(lines))
    assert done.exit_code == 0 and done.stdout == ""
    assert html.exists() and f"{lines}: {lines.stat().st_size:,} bytes" in done.stderr


def test_all_statements_and_who_has_none_for_want_of_a_rate(tmp_path: Path) -> None:
    done = run("--all", "2026-05", "--out", str(tmp_path), "--format", "html", "--format", "csv")
    assert done.exit_code == 1
    assert f"2 statements in {tmp_path}" in done.stdout
    assert "USD 3.80 due on 2 of them" in done.stdout
    assert "not in it: 154 tokens" in done.stdout
    assert "no statement of euro: no rate of EUR to USD for 2026-05-31" in done.stderr
    assert "1 of 3 statements could not be made" in done.stderr
    assert len(list(tmp_path.glob("*.html"))) == 2


def test_all_statements_of_several_currencies_are_summed_apart(
    tmp_path: Path, database: dict[str, Statement]
) -> None:
    del database["euro"]
    terms = tmp_path / "terms.yaml"
    terms.write_text('version: "1"\ntenants: {acme: {currency: CNY}}\n')
    out = str(tmp_path / "out")
    done = run(
        *("--all", "2026-05", "--out", out, "--format", "json"),
        WATTOKEN_STATEMENT_SETTINGS_FILE=str(terms),
    )
    assert done.exit_code == 0
    assert "CNY 13.52 due on 1 of them" in done.stdout
    assert "USD 1.90 due on 1 of them" in done.stdout


def test_one_number_of_two_tenants_stops_it(tmp_path: Path) -> None:
    terms = tmp_path / "terms.yaml"
    from services.billing.terms import derived_code

    code = derived_code("acme")
    terms.write_text(f'version: "1"\ntenants: {{北京: {{code: {code}}}}}\n')
    done = run(
        *("--all", "2026-05", "--out", str(tmp_path / "out"), "--format", "csv"),
        WATTOKEN_STATEMENT_SETTINGS_FILE=str(terms),
    )
    assert isinstance(done.exception, ConfigurationError)
    assert f"invoice number 202605-{code} is of" in str(done.exception)


def test_a_character_without_a_font_is_told(tmp_path: Path, database: dict[str, Statement]) -> None:
    pytest.importorskip("typst")
    database["acme"] = full_statement("ᚠ")
    done = run("acme", "2026-05", "--pdf", str(tmp_path / "a.pdf"))
    assert "warning: no font has U+16A0" in done.stderr


def test_a_month_of_requests_without_a_token_is_a_statement_of_nothing(
    database: dict[str, Statement],
) -> None:
    database["acme"] = replace(statement(), daily_tokens=((date(2026, 5, 1), 0),))
    done = run("acme", "2026-05")
    assert done.exit_code == 0
    assert "Amount due USD 0.00" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("acme",),
        ("acme", "2026-05", "--out", "x"),
        ("--all", "2026-05"),
        ("acme", "--all", "2026-05", "--out", "x"),
        ("--all", "2026-05", "--out", "x", "--json"),
        ("--all", "2026-05", "--out", "x", "--html", "a.html"),
        ("acme", "2026-05", "--issued", "tomorrow"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_currency_or_month_that_is_none_is_refused() -> None:
    for arguments in (("acme", "2026-05", "--currency", "RMB"), ("acme", "May")):
        done = run(*arguments)
        assert isinstance(done.exception, ConfigurationError)
