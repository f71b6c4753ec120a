"""The tutorial, then the commands of README and other pages, as they stand there, on `wattoken up`.

They run in one folder, as a reader's would: `.wattoken/env` of the stack in it, `tests` of this
tree, and in `.venv` what `make up` fetches and nothing else. What a page shows as the answer of a
command must be what it answers.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.local_stack.errors import ComponentMissing
from services.local_stack.prometheus import fetch_prometheus
from tests.docs.blocks import ROOT, Block, block, blocks_of
from tests.docs.walk import plain
from tests.integration.conftest import missing
from tests.kcat import fetch_kcat, kcat_command

ANSWERS_WITHIN_SECONDS = 60.0
COMMAND_TIMEOUT_SECONDS = 240
#: What the tutorial has the reader leave running.
STARTS = "make up"
#: Clients that the tutorial fetches, if one has none.
CLIENTS = ROOT / "tests/gateway-clients/.venv/bin/python"
#: The addresses of pages that do not begin with `source .wattoken/env`, and whose they are here.
USUAL = {
    "http://127.0.0.1:8080": "$WATTOKEN_INGEST_URL",
    "127.0.0.1:9092": "$WATTOKEN_KAFKA_BOOTSTRAP_SERVERS",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder like a clone's, in which the stack runs."""
    folder = tmp_path_factory.mktemp("clone")
    make = ["make", "--quiet", f"VENV={folder / '.venv'}", str(folder / ".venv" / ".runs")]
    subprocess.run(make, cwd=ROOT, check=True)
    for name in ("tests", "services", "schemas"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    with subprocess.Popen(
        [folder / ".venv/bin/wattoken", "up"],
        stdout=subprocess.PIPE,
        cwd=folder,
        env=readers(),
        text=True,
    ) as up:
        assert up.stdout is not None
        said: list[str] = []
        while not said or not said[-1].startswith("Ctrl-C ends it all."):
            said.append(up.stdout.readline())
            assert said[-1], "".join(said)
        yield folder
        up.terminate()


def readers() -> dict[str, str]:
    """The environment of a reader: no settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WATTOKEN_")}


def run(folder: Path, text: str) -> str:
    """Run commands in a shell that knows the stack until they succeed; return what they print.

    What was just sent is metered a moment later, so a `grep` may find it the second time.
    """
    deadline = time.monotonic() + ANSWERS_WITHIN_SECONDS
    while (done := attempt(folder, text)).returncode and time.monotonic() < deadline:
        time.sleep(0.5)
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def attempt(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = f"set -euo pipefail\nsource .wattoken/env\n{text}"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder, env=readers(), capture_output=True, text=True,
        timeout=COMMAND_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip


def answers(folder: Path, command: Block, shown: Block) -> None:
    """Ask until the answer has what the page shows; what is sent again is the same event."""
    deadline = time.monotonic() + ANSWERS_WITHIN_SECONDS
    while plain(shown.text) not in (said := plain(run(folder, command.text))):
        assert time.monotonic() < deadline, f"{shown.at} shows\n{shown.text}\nand not\n{said}"
        time.sleep(0.5)


def ran(folder: Path, page: str, blocks: list[Block]) -> int:
    """Run the blocks of a page in their order, each held to the output shown behind it."""
    count = 0
    for command, after in zip(blocks, [*blocks[1:], None], strict=True):
        if command.language != "sh":
            continue
        count += 1
        if after is not None and after.language == "text":
            answers(folder, command, after)
        else:
            run(folder, command.text)
    assert count, f"{page} has no commands"
    return count


def test_make_up_is_what_is_run_here() -> None:
    assert block("docs/tutorial.md", "shell", STARTS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^up: \$\(VENV\)/\.runs\n\t\$\(BIN\)/wattoken up\n", makefile, re.MULTILINE)


@pytest.mark.timeout(900)
def test_the_tutorial_ends_with_a_metered_request_of_a_gateway(folder: Path) -> None:
    if not CLIENTS.exists():
        missing(ComponentMissing("the tutorial's LiteLLM is not there; run `make gateway-clients`"))
    try:
        fetch_prometheus(print)
    except ComponentMissing as error:
        missing(error)
    assert ran(folder, "docs/tutorial.md", list(blocks_of("docs/tutorial.md"))) == 9
    page = run(folder, 'curl -s "$WATTOKEN_EXPORTER_URL/control-room/v1.json"')
    assert '"gpt-5-mini"' in page, "the control room shows the gateway's model"


@pytest.mark.timeout(600)
def test_the_readme_does_what_it_says(folder: Path) -> None:
    """Its month is the running one here, and `.wattoken/env` is read before each block."""
    month = f"{datetime.now(UTC):%Y-%m}"
    for each in blocks_of("README.md"):
        if each.language == "sh":
            run(folder, re.sub(r"\b20\d\d-\d\d\b", month, each.text))
    assert (folder / "bill.html").stat().st_size > 1000
    assert (folder / "focus.csv").stat().st_size > 100


@pytest.mark.timeout(600)
def test_commands_of_other_pages_do_what_they_say(folder: Path) -> None:
    """Of docs/gateways.md and docs/runbook.md; theirs are at the usual addresses."""
    try:
        kcat = fetch_kcat(print)
    except ComponentMissing as error:
        missing(error)
    commands = folder / "commands"
    commands.mkdir()
    (commands / "kcat").write_text(f'#!/bin/sh\nexec {shlex.join(kcat_command(kcat))} "$@"\n')
    (commands / "kcat").chmod(0o755)
    for page in ("docs/gateways.md", "docs/runbook.md"):
        for each in blocks_of(page):
            if each.language == "sh":
                text = each.text
                for usual, here in USUAL.items():
                    text = text.replace(usual, here)
                text = re.sub(r"^wattoken ", ".venv/bin/wattoken ", text, flags=re.MULTILINE)
                run(folder, f'PATH="$PWD/commands:$PATH"\n{text}')
