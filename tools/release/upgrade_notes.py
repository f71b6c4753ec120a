"""PURE: docs/upgrading.md: the notes of the next release get its number."""

from __future__ import annotations

from typing import Final

from tools.release.errors import ReleaseError
from tools.release.versions import Version

PAGE: Final = "docs/upgrading.md"
NEXT: Final = "### The next release"
#: What stands there until somebody writes what is to be done, or that nothing is.
NOT_WRITTEN: Final = "Nothing was changed yet."


def cut(text: str, version: Version) -> str:
    """Give the notes of the next release to a version, and make room for those after it.

    Raises `ReleaseError` where there are none.
    """
    head, found, notes = text.partition(f"{NEXT}\n")
    written = notes.partition("\n### ")[0].partition("\n## ")[0].strip()
    if not found or written in ("", NOT_WRITTEN):
        raise ReleaseError(
            f"{PAGE} has nothing under {NEXT!r}: say there what to do for {version}, or that"
            " nothing is to be done"
        )
    return f"{head}{NEXT}\n\n{NOT_WRITTEN}\n\n### {version}\n{notes}"
