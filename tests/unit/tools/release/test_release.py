"""A release of a repository made for it: its commit, tag and bills, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.release.__main__ import ROOT, main
from tools.release.versions import PLACES, said

#: What a release reads or changes.
FILES = (
    *sorted({place.path for place in PLACES}),
    *("docs/licences.md", "tools/supply_chain/third_party.toml"),
    "services/exporter/control_room/assets/README.md",
)
CHANGES = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Everything.\n"
NOTES = "# Upgrading\n\n### The next release\n\nNothing is to be done.\n"


def git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "docs/upgrading.md").write_text(NOTES)
    (tmp_path / ".gitignore").write_text("out/\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name, text in (
        ("user.name", "A"),
        ("user.email", "a@example.org"),
        ("commit.gpgSign", "false"),
        ("tag.gpgSign", "false"),
    ):
        git(tmp_path, "config", name, text)
    commit(tmp_path, "before")
    return tmp_path


def commit(root: Path, message: str) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


def test_a_release_is_a_commit_with_a_tag_that_says_what_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["7.8.9", "--date", "2027-02-03"], root) == 0
    assert "not pushed" in capsys.readouterr().out
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "cat-file", "-t", "v7.8.9") == "tag"
    assert git(root, "rev-parse", "v7.8.9^{commit}") == git(root, "rev-parse", "HEAD")
    assert git(root, "log", "-1", "--format=%s") == "chore(release): 7.8.9"
    told = git(root, "tag", "--list", "--format=%(contents)", "v7.8.9")
    assert told == "Wattoken 7.8.9\n\n### Added\n\n- Everything."
    for place in PLACES:
        assert said(place, (root / place.path).read_text()) == {"7.8.9"}
    assert "## [7.8.9] - 2027-02-03" in (root / "CHANGELOG.md").read_text()
    assert "### 7.8.9" in (root / "docs/upgrading.md").read_text()
    bills = sorted(path.name for path in (root / "out/release").iterdir())
    assert bills == ["wattoken-7.8.9.cdx.json", "wattoken-image-7.8.9.cdx.json"]
    bill = json.loads((root / "out/release" / bills[0]).read_text())
    (revision,) = bill["metadata"]["component"]["properties"]
    assert revision == {"name": "wattoken:revision", "value": git(root, "rev-parse", "HEAD")}
    # The same bytes again, whenever they are written.
    before = [(root / "out/release" / name).read_bytes() for name in bills]
    assert main(["--bills-only"], root) == 0
    assert [(root / "out/release" / name).read_bytes() for name in bills] == before


def test_a_dry_run_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = git(root, "rev-parse", "HEAD")
    assert main(["7.8.9", "--dry-run"], root) == 0
    assert "7.8.9 can be released" in capsys.readouterr().out
    assert git(root, "rev-parse", "HEAD") == head
    assert git(root, "status", "--porcelain") == git(root, "tag") == ""
    assert not (root / "out").exists()


def refused(root: Path, *arguments: str) -> None:
    head, tags = git(root, "rev-parse", "HEAD"), git(root, "tag")
    files = git(root, "status", "--porcelain")
    assert main(list(arguments), root) == 1
    assert (git(root, "rev-parse", "HEAD"), git(root, "tag")) == (head, tags)
    assert git(root, "status", "--porcelain") == files


def test_what_is_not_committed_is_not_released(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "CHANGELOG.md").write_text(CHANGES + "- More.\n")
    refused(root, "7.8.9")
    assert "CHANGELOG.md" in capsys.readouterr().err


def test_a_version_is_released_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["7.8.9"], root) == 0
    refused(root, "7.8.9")
    assert "the tag v7.8.9 is there already" in capsys.readouterr().err
    refused(root, "7.9.0")
    assert "nothing under" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "say which version"),
        (["7.8"], "is no version"),
        (["0.0.1"], "is older"),
    ],
)
def test_what_is_no_newer_version_is_refused(
    root: Path, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(root, *arguments)
    assert why in capsys.readouterr().err


def test_a_release_without_notes_for_upgrades_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docs/upgrading.md").write_text("# Upgrading\n")
    commit(root, "no notes")
    refused(root, "7.8.9")
    assert "docs/upgrading.md has nothing under" in capsys.readouterr().err
