"""Trees to run: this one, and older commits, each in a folder and an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".cache" / "upgrades" / "trees"
UV: Final = ROOT / ".bootstrap" / "bin" / "uv"
SET_UP_SECONDS_MAX: Final = 900.0
Say = Callable[[str], None]


class TreeError(Exception):
    """An older tree cannot be set up, or a command of one failed."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout that can be run. ``command`` begins every `wattoken` of it."""

    name: str
    folder: Path
    command: tuple[str, ...]

    @property
    def env(self) -> dict[str, str]:
        """What keeps it from importing another tree."""
        return {"PYTHONPATH": str(self.folder)}

    @property
    def reads_price_classes(self) -> bool:
        """Whether its workers take events that say a service tier, or more than tokens."""
        return (self.folder / "schemas" / "price_class.py").exists()

    def run(self, env: dict[str, str], seconds: float, *arguments: str) -> str:
        """Run a command of it to its end. Raises `TreeError` with what it said last."""
        words = [*self.command, *arguments]
        return checked(words, self.folder, {**os.environ, **env, **self.env}, seconds)


def this_tree() -> Tree:
    """The tree that this is, in the environment that runs it."""
    return Tree("this tree", ROOT, (sys.executable, "-m", "services.cli"))


def older_tree(commit: str, say: Say) -> Tree:
    """Check a commit out and set it up by its own lock, or find it as it was left.

    Raises `TreeError`.
    """
    folder = FOLDER / commit[:12]
    if not (folder / ".git").exists():
        say(f"checking out {commit[:12]}")
        words = ["git", "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(folder)]
        checked(words, ROOT, None, SET_UP_SECONDS_MAX)
    synced = folder / ".venv" / ".synced"
    if not synced.exists():
        checked(
            ["git", "checkout", "--quiet", "--detach", commit], folder, None, SET_UP_SECONDS_MAX
        )
        say(f"setting {commit[:12]} up")
        env = {
            **os.environ,
            "UV_PROJECT_ENVIRONMENT": ".venv",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_SYSTEM_CERTS": "true",
            # It builds itself as it did in its days: without the hashes that today's locks have.
            "UV_REQUIRE_BUILD_HASHES": "false",
        }
        words = [str(UV), "sync", "--quiet", "--frozen", "--python", sys.executable]
        checked(words, folder, env, SET_UP_SECONDS_MAX)
        synced.touch()
    binaries = folder / ".venv" / "bin"
    return Tree(commit[:12], folder, (str(binaries / "python"), str(binaries / "wattoken")))


def checked(words: Sequence[str], folder: Path, env: dict[str, str] | None, seconds: float) -> str:
    """Run a command to its end and give its output. Raises `TreeError` with the end of it."""
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise TreeError(f"{words[0]} is not there: `make setup` makes it") from None
    except subprocess.TimeoutExpired:
        raise TreeError(f"`{' '.join(words)}` in {folder} took over {seconds:g} s") from None
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise TreeError(f"`{' '.join(words)}` in {folder} failed:\n{said}")
    return done.stdout
