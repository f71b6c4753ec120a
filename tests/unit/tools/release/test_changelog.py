"""The changelog is cut, and the notes for upgrades with it."""

from __future__ import annotations

from datetime import date

import pytest

from tools.release import upgrade_notes
from tools.release.changelog import UNRELEASED, cut, released, section
from tools.release.errors import ReleaseError
from tools.release.versions import Version

HEAD = "# Changelog\n\nAs of [Keep a Changelog](https://keepachangelog.com).\n\n## [Unreleased]\n"
CHANGES = "\n### Added\n\n- A thing ([docs](docs/a.md)).\n\n### Fixed\n\n- Another.\n"
DAY = date(2027, 1, 31)
URL = "https://example.org/w"


def test_what_is_unreleased_becomes_a_version_with_its_day() -> None:
    text = cut(HEAD + CHANGES, Version(0, 1, 0), DAY, URL)
    assert text.startswith(HEAD + "\n## [0.1.0] - 2027-01-31\n" + CHANGES)
    assert text.endswith(
        f"[Unreleased]: {URL}/compare/v0.1.0...HEAD\n[0.1.0]: {URL}/releases/tag/v0.1.0\n"
    )
    assert section(text, UNRELEASED) == ""
    assert section(text, "0.1.0") == CHANGES.strip()


def test_versions_of_before_stay_as_they_are_and_are_linked_anew() -> None:
    first = cut(HEAD + CHANGES, Version(0, 1, 0), DAY, URL)
    with_more = first.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- More.\n", 1)
    text = cut(with_more, Version(0, 2, 0), DAY, URL)
    assert released(text) == [Version(0, 2, 0), Version(0, 1, 0)]
    assert section(text, "0.2.0") == "### Added\n\n- More."
    assert section(text, "0.1.0") == CHANGES.strip()
    assert text.endswith(
        f"[Unreleased]: {URL}/compare/v0.2.0...HEAD\n"
        f"[0.2.0]: {URL}/compare/v0.1.0...v0.2.0\n[0.1.0]: {URL}/releases/tag/v0.1.0\n"
    )
    assert text.count("[Unreleased]:") == 1


@pytest.mark.parametrize("nothing", ["", "\n### Added\n"])
def test_a_release_of_nothing_is_refused(nothing: str) -> None:
    with pytest.raises(ReleaseError, match="nothing under"):
        cut(HEAD + nothing, Version(0, 1, 0), DAY, URL)


def test_a_version_that_is_not_newer_is_refused() -> None:
    text = HEAD + CHANGES + "\n## [0.2.0] - 2027-01-01\n\n- Before.\n"
    for version in (Version(0, 2, 0), Version(0, 1, 9)):
        with pytest.raises(ReleaseError, match="is not newer"):
            cut(text, version, DAY, URL)


def test_a_changelog_without_the_section_is_refused() -> None:
    with pytest.raises(ReleaseError, match="Unreleased"):
        cut("# Changelog\n", Version(0, 1, 0), DAY, URL)


NOTES = "# Upgrading\n\n### The next release\n\nStop workers.\n\n### 0.1.0\n\nNothing.\n\n## Then\n"


def test_notes_of_the_next_release_get_its_number() -> None:
    text = upgrade_notes.cut(NOTES, Version(0, 2, 0))
    assert "### 0.2.0\n\nStop workers.\n\n### 0.1.0\n\nNothing.\n\n## Then\n" in text
    # So a release after it cannot be made without notes of its own.
    with pytest.raises(ReleaseError, match=r"say there what to do for 0\.3\.0"):
        upgrade_notes.cut(text, Version(0, 3, 0))


def test_a_page_without_notes_is_refused() -> None:
    with pytest.raises(ReleaseError, match="The next release"):
        upgrade_notes.cut("# Upgrading\n", Version(0, 2, 0))
