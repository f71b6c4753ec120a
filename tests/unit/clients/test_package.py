"""The client is light: the standard library, one HTTP library, and nothing of the services."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
import wattoken.client

SOURCES = sorted(Path(wattoken.client.__file__).parent.glob("*.py"))
OPTIONAL = {"litellm.py": {"litellm"}}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_it_imports_the_standard_library_and_urllib3(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "urllib3", "wattoken", *OPTIONAL.get(path.name, ())}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.partition(".")[0] in allowed, f"{path.name} imports {name}"


def test_it_asks_for_urllib3_only() -> None:
    (needed,) = requires("wattoken-client") or []
    assert re.match(r"[\w-]+", needed)[0] == "urllib3"  # type: ignore[index]
    code = "import sys, wattoken.client, wattoken.client.asgi; print('litellm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
