"""Python of other versions than the one that runs the tests: where one is found, and what with.

``python -m tests.versions.python`` makes an environment for the newest supported one that this
machine has; `make python-versions` runs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from services.platform.supported import PYTHON, Version

ROOT = Path(__file__).parents[2]
UV = ROOT / ".bootstrap" / "bin" / "uv"


def candidates(minor: Version) -> Iterator[Path]:
    """Where an interpreter of a minor release may be: on the PATH, or one of pyenv's."""
    name = f"python{minor[0]}.{minor[1]}"
    found = shutil.which(name)
    if found is not None:
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{minor[0]}.{minor[1]}.*/bin/{name}"), reverse=True)


def find(minor: Version) -> Path | None:
    """Find an interpreter that runs; a shim on the PATH may stand for none."""
    for path in candidates(minor):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if said.stdout.startswith(f"Python {minor[0]}.{minor[1]}."):
            return path
    return None


def environment(minor: Version) -> Path:
    """The interpreter of the environment of a minor release, made or not."""
    return ROOT / f".venv-{minor[0]}-{minor[1]}" / "bin" / "python"


def make(minor: Version, interpreter: Path) -> None:
    """Make the environment: the services as locked, what a local stack needs, and the tests."""
    folder = environment(minor).parents[1]
    command = [str(UV), "sync", "--quiet", "--frozen", "--python", str(interpreter)]
    for extra in ("demo", "dev", "bills"):
        command += ["--extra", extra]
    env = {
        **os.environ,
        "UV_PROJECT_ENVIRONMENT": str(folder),
        # As the Makefile has it: nothing is built with tools that no lock has.
        "UV_REQUIRE_BUILD_HASHES": "true",
    }
    subprocess.run(command, cwd=ROOT, env=env, check=True)


def main() -> None:
    """Make the newest one's environment; where there is no interpreter, say so."""
    newest = PYTHON.newest
    interpreter = find(newest)
    if interpreter is None:
        print(f"Python {newest[0]}.{newest[1]}: not on this machine, so not tested here")
    elif sys.version_info[:2] != newest:
        make(newest, interpreter)


if __name__ == "__main__":
    main()
