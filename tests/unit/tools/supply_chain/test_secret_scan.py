"""Planted secrets are found, whatever file they are in; the repository has none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from services.ingest.keys.secret import new_key
from tools.supply_chain.secret_scan import (
    KINDS,
    KNOWN,
    ROOT,
    Finding,
    judge,
    read_known,
    scan,
    scan_files,
    tracked,
)

LONG = "Ab3" * 14
#: A secret of each kind; no line of this file is one, for they are put together here.
PLANTED = {
    "API key of Wattoken": f"curl -H 'Authorization: Bearer wtk_{'0f' * 8}_{LONG}x'",
    "private key": f"-----BEGIN {'EC PRIVATE'} KEY-----\n{LONG}\n",
    "AWS key": f"id: AKIA{'Z3' * 8}",
    "AWS secret": f"aws_secret_access_key = {LONG[:40]}",
    "GitHub token": f"ghp_{LONG}",
    "GitLab token": f"glpat-{LONG}",
    "Google key": f"AIza{LONG[:35]}",
    "Hugging Face token": f"hf_{LONG}",
    "key of a model provider": f"sk-ant-api03-{LONG}",
    "npm token": f"npm_{LONG[:36]}",
    "PyPI token": f"pypi-AgE{LONG * 2}",
    "Slack token": f"xoxb-{LONG}",
    "Stripe key": f"sk_live_{LONG}",
    "JSON Web Token": f"eyJ{LONG}.eyJ{LONG}.{LONG}",
    "password in an address": f"http://alice:{'hunter'}22@db.example.org/",
    "assignment": f'DB_PASSWORD: str = "{"hunter"}-22"',
    "assignment in XML": f"<password>{'hunter'}-22</password>",
    "assignment in an environment": f"export DB_PASSWORD={'hunter'}-22",
}


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_each_kind_is_found_with_its_place(kind: str) -> None:
    found = list(scan("a.py", f"first line\n{PLANTED[kind]}\n"))
    assert (kind, "a.py", 2) in {(each.kind, each.path, each.line) for each in found}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.py", f"api_key='{'hunter'}-22'"),
        ("settings.json", f'{{"apiKey": "{"hunter"}-22"}}'),
        ("compose.yml", f'  GF_SECURITY_ADMIN_PASSWORD: "{"hunter"}-22"'),
        (".env", f"WATTOKEN_CLICKHOUSE_PASSWORD={'hunter'}-22"),
    ],
)
def test_an_assignment_is_found_in_any_notation(name: str, text: str) -> None:
    assert list(scan(name, text))


def test_a_key_as_ingest_makes_them_is_found() -> None:
    text, _ = new_key("acme", "us-east", b"p" * 32)
    assert [found.kind for found in scan("notes.md", f"key: {text}")] == [KINDS[0].name]


@pytest.mark.parametrize(
    "between", ["\n", "\\n", "\r\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n", '\\n"\n    "']
)
def test_a_private_key_is_found_however_its_lines_are_written(between: str) -> None:
    assert list(scan("a.py", f"-----BEGIN {'PRIVATE'} KEY-----{between}{LONG}"))


@pytest.mark.parametrize(
    "harmless",
    [
        "password = os.environ['CLICKHOUSE_PASSWORD']",
        "password: ${CLICKHOUSE_PASSWORD}",
        "password = settings.password.get_secret_value()",
        'PASSWORD = "a made-up one"',
        'PASSWORD = "made-up-of-a-test"',
        "WATTOKEN_CLICKHOUSE_PASSWORD_FILE: /secrets/migrate/clickhouse_password",
        "send `Authorization: Bearer wtk_…`",
        "http://127.0.0.1:8080/v1/events",
        'if b"-----BEGIN RSA PRIVATE KEY-----" in text:',
    ],
)
def test_what_holds_no_secret_is_let_be(harmless: str) -> None:
    assert list(scan("a.py", harmless)) == []


def test_a_finding_does_not_tell_the_secret() -> None:
    (found,) = scan("a.py", PLANTED["API key of Wattoken"])
    assert LONG not in str(found)
    assert "a.py:1: API key of Wattoken: wtk_" in str(found)
    assert found.digest in str(found)


def test_what_is_known_is_let_be_and_may_not_outlive_its_text() -> None:
    finding = Finding("a.py", 1, "AWS key", "some text")
    assert judge([finding], {finding.digest: "made up"}) == []
    assert judge([finding], {}) == [str(finding)]
    (gone,) = judge([], {finding.digest: "made up"})
    assert "nowhere any more" in gone


def test_planted_files_are_found_in_a_clone_before_they_are_committed(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored.txt\n")
    for name in ("ignored.txt", "new.txt", "deep.yml"):
        (tmp_path / name).write_text(PLANTED["AWS key"])
    (tmp_path / "picture.png").write_bytes(b"\0" + PLANTED["AWS key"].encode())
    found = scan_files(tmp_path, tracked(tmp_path))
    assert sorted(each.path for each in found) == ["deep.yml", "new.txt"]


def test_this_repository_has_none() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    assert judge(scan_files(ROOT, tracked(ROOT)), read_known(KNOWN)) == []
