"""Jsonnet, fetched as a locked wheel for tests only, and what a program of it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from services.local_stack.cache import Report, cached
from services.local_stack.wheels import fetch_wheels, locked_version

VERSION: Final = locked_version("jsonnet", "jsonnet")
#: Reads a program from standard input; its arguments are where imports are looked for.
_EVALUATE: Final = """
import _jsonnet, sys
print(_jsonnet.evaluate_snippet("program", sys.stdin.read(), jpathdir=sys.argv[1:]))
"""


def evaluate(program: str, *folders: Path, report: Report = print) -> Any:
    """What a program comes to, with imports looked for in ``folders``.

    Raises `ComponentMissing` where Jsonnet cannot be had, and fails with Jsonnet's own words.
    """
    home = cached(
        f"jsonnet-{VERSION}-{sys.implementation.cache_tag}",
        lambda folder: fetch_wheels(
            f"Jsonnet {VERSION}", "jsonnet", folder, report, "see that pip reaches its index"
        ),
    )
    done = subprocess.run(
        [sys.executable, "-c", _EVALUATE, *map(str, folders)],
        input=program,
        env={"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
