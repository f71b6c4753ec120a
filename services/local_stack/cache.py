"""The folder of fetched programs: each is fetched once, whole or not at all, by one process."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from services.local_stack.errors import ComponentMissing

Report = Callable[[str], None]
Fetch = Callable[[Path], None]
REPORT_SECONDS = 5.0
FETCH_TIMEOUT_SECONDS = 900.0


def cache_folder() -> Path:
    """``$WATTOKEN_CACHE``, else ``wattoken`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    named = os.environ.get("WATTOKEN_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wattoken"


def cached(name: str, fetch: Fetch) -> Path:
    """Return the folder ``name`` of the cache; ``fetch`` fills it if it is not there yet.

    ``fetch`` gets an empty folder, which is renamed when it returns: a folder that exists is
    whole. Processes that want the same folder at once wait for the one that fetches. Raises what
    ``fetch`` raises.
    """
    home = cache_folder()
    target = home / name
    if target.is_dir():
        return target
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        fresh = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=home))
        try:
            fetch(fresh)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return target


def run_fetcher(
    what: str,
    command: Sequence[str],
    folder: Path,
    report: Report,
    remedy: str,
    *,
    tool: str | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a download tool in ``folder``, reporting the megabytes as they arrive.

    ``tool`` names it where its command does not; ``env`` is added to the environment. Raises
    `ComponentMissing`, with the end of the tool's output, when the tool is not installed, fails or
    takes too long.
    """
    tool = tool or command[0]
    if shutil.which(command[0]) is None:
        raise ComponentMissing(f"{what}: {tool} is not installed; {remedy}")
    report(f"fetching {what} with {tool} into {cache_folder()} (once)")
    started = reported = time.monotonic()
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        while process.poll() is None:
            time.sleep(0.1)
            now = time.monotonic()
            if now - started > FETCH_TIMEOUT_SECONDS:
                process.kill()
            elif now - reported > REPORT_SECONDS:
                reported = now
                report(f"  … {what}: {folder_megabytes(folder):.0f} MB, {now - started:.0f} s")
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode != 0:
        last = "\n".join(text.strip().splitlines()[-8:])
        raise ComponentMissing(
            f"{what}: {tool} failed (exit code {process.returncode}); {remedy}\n{last}"
        )
    report(f"  {what}: {folder_megabytes(folder):.0f} MB in {time.monotonic() - started:.0f} s")


def folder_megabytes(folder: Path) -> float:
    """Size of all files below a folder that may change meanwhile."""
    total_bytes = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total_bytes += path.lstat().st_size
    return total_bytes / 1e6
