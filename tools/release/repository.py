"""The git repository that is released, and its files."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.release.errors import ReleaseError


@dataclass(frozen=True, slots=True)
class Repository:
    """A checkout with its files."""

    root: Path

    def git(self, *words: str, given: str | None = None) -> str:
        """What git says. Raises `ReleaseError` with what it says otherwise."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ReleaseError(f"`git {' '.join(words[:3])}` failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def read(self, path: str) -> str:
        """A file's text. Raises `ReleaseError`."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except OSError as error:
            raise ReleaseError(f"cannot read {path}: {error.strerror}") from None

    def write(self, path: str, text: str) -> None:
        """Write a file of it."""
        (self.root / path).write_text(text, encoding="utf-8")

    def require_clean(self) -> None:
        """See that all is committed. Raises `ReleaseError`."""
        if changed := self.git("status", "--porcelain"):
            first = ", ".join(line.split(maxsplit=1)[1] for line in changed.splitlines()[:3])
            raise ReleaseError(f"what is not committed would not be released: {first}")

    def require_no_tag(self, tag: str) -> None:
        """See that there is no such tag. Raises `ReleaseError`."""
        if self.git("tag", "--list", tag):
            raise ReleaseError(f"the tag {tag} is there already: a version is released once")
