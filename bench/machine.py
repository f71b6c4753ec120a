"""What the numbers were measured on: hardware, system and versions; no names of hosts or users."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def machine(versions: dict[str, str]) -> dict[str, Any]:
    """Describe this machine; ``versions`` are those of what was measured."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": operating_system(),
        "versions": {"python": platform.python_version(), **versions},
    }


def cpu_model() -> str:
    """The processor's name as the kernel knows it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def operating_system() -> str:
    """System, distribution and architecture."""
    try:
        distribution = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        distribution = ""
    return " ".join(part for part in (platform.system(), distribution, platform.machine()) if part)


def commit() -> str:
    """The commit that is checked out, with ``+changes`` when files differ from it."""
    name = git("rev-parse", "HEAD").strip() or "unknown"
    # What the benchmark itself writes is no change to what was measured.
    changed = git("status", "--porcelain", "--", ".", ":!bench/results", ":!docs")
    return f"{name}+changes" if changed else name


def git(*arguments: str, folder: Path = ROOT) -> str:
    """What git says of a checkout; empty where it refuses."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
