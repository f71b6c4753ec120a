"""Walks the tutorial as a new operator does, by its blocks alone, and says what each step takes.

``python -m tests.docs.walk FOLDER`` clones this tree's commit into a new folder, and does there
what the page says, in its order. ``--cold`` begins with empty caches of pip, uv, npm, Maven and
Wattoken, as on a machine that has seen none of it; ``--bare`` without Java, Maven, npm and
Prometheus too.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.docs.blocks import ROOT, Block, read_blocks

PAGE: Final = "docs/tutorial.md"
THERE: Final = "Ctrl-C ends it all."
ANSWERS_WITHIN_SECONDS: Final = 60.0
#: What the page says is there where it is installed.
PROMETHEUS: Final = "$WATTOKEN_PROMETHEUS_URL"
NOT_BARE: Final = frozenset({"java", "mvn", "npm", "node", "prometheus", "promtool"})


class Walk:
    """A clone and the shell in it."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._env = env
        self._began = self._step_began = time.monotonic()

    def say(self, step: str) -> None:
        """Print what a step took, and all until then."""
        now = time.monotonic()
        took, total = now - self._step_began, now - self._began
        load = os.getloadavg()[0]
        print(f"{took:6.1f} s  {total:6.1f} s  load {load:4.1f}  {step}", flush=True)
        self._step_began = now

    def clone(self) -> None:
        """The first step."""
        command = ["git", "clone", "--quiet", str(ROOT), str(self._folder)]
        subprocess.run(command, check=True)
        self.say("git clone")

    def start(self, text: str) -> subprocess.Popen[str]:
        """Run what the reader leaves running, until it says that it is there."""
        running = subprocess.Popen(
            ["bash", "-c", text],
            cwd=self._folder, env=self._env, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("  … "):
                continue
            if re.search(r"wattoken up$|in \d+ s$", line):
                self.say(line.strip())
            if line.startswith(THERE):
                break
        else:
            raise SystemExit("it ended before it was there")
        self.say(f"{text.strip()}: {THERE}")
        return running

    def run(self, command: Block, shown: Block | None) -> None:
        """Run a block in the second shell, until its answer has the lines that are shown."""
        script = f"set -euo pipefail\nsource .wattoken/env\n{command.text}"
        wanted = [] if shown is None else [plain(line) for line in shown.text.splitlines()]
        deadline = time.monotonic() + ANSWERS_WITHIN_SECONDS
        while True:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self._folder, env=self._env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = plain(done.stdout)
            # In which order the exporter shows series depends on when it was asked first.
            if done.returncode == 0 and all(line in said for line in wanted):
                self.say(f"{command.section}: {command.first_line}")
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{command.at}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
            time.sleep(0.5)


def plain(text: str) -> str:
    """An answer without its spacing, and without the time of an instant."""
    return re.sub(r"\d{10}(\.\d+)?,", "TIME,", " ".join(text.split()))


def cold(caches: Path) -> dict[str, str]:
    """Settings of everything that caches what it fetched."""
    return {
        "UV_CACHE_DIR": str(caches / "uv"),
        "PIP_CACHE_DIR": str(caches / "pip"),
        "npm_config_cache": str(caches / "npm"),
        "MAVEN_OPTS": f"-Dmaven.repo.local={caches / 'maven'}",
        "WATTOKEN_CACHE": str(caches / "wattoken"),
    }


def bare(programs: Path) -> dict[str, str]:
    """A PATH that has all programs but those that the stack uses where they are."""
    programs.mkdir(parents=True)
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        for program in folder.iterdir() if folder.is_dir() else ():
            link = programs / program.name
            if program.name not in NOT_BARE and not link.is_symlink():
                link.symlink_to(program)
    return {"PATH": str(programs), "JAVA_HOME": ""}


def main() -> None:
    """Walk it, and end what was started."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder to be made")
    parser.add_argument("--cold", action="store_true", help="begin with empty caches")
    parser.add_argument("--bare", action="store_true", help="no Java, Maven, npm or Prometheus")
    asked = parser.parse_args()
    home = asked.folder.resolve()
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("WATTOKEN_")}
    env |= cold(home / "caches") if asked.cold else {}
    env |= bare(home / "programs") if asked.bare else {}
    clone = home / "clone"
    walk = Walk(clone, env)
    walk.clone()
    blocks = list(read_blocks(PAGE, (clone / PAGE).read_text(encoding="utf-8")))
    running: list[subprocess.Popen[str]] = []
    try:
        for one, after in zip(blocks, [*blocks[1:], None], strict=True):
            if one.language == "shell" and not running:
                running.append(walk.start(one.text))
            elif PROMETHEUS in one.text and PROMETHEUS[1:] not in env_of(clone):
                walk.say("Prometheus is not installed: passed over")
            elif one.language in ("sh", "shell"):
                shown = after if after is not None and after.language == "text" else None
                walk.run(one, shown)
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    for folder in (clone / ".venv", clone / "tests/gateway-clients/.venv", home / "caches"):
        if folder.is_dir():
            print(f"{megabytes(folder):6} MB  {folder.relative_to(home)}")
    shutil.rmtree(home)


def env_of(clone: Path) -> str:
    """What `make up` says to shells."""
    return (clone / ".wattoken/env").read_text(encoding="utf-8")


def megabytes(folder: Path) -> int:
    """What lies in a folder."""
    done = subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


if __name__ == "__main__":
    main()
