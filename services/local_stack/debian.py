"""Debian's packages, fetched and unpacked into the cache; nothing is installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.local_stack.cache import Report, cache_folder, run_fetcher
from services.local_stack.errors import ComponentMissing


def fetch_packages(
    what: str, download: Sequence[str], folder: Path, report: Report, remedy: str
) -> None:
    """Run a command that leaves ``.deb`` files in ``folder``, and unpack them there.

    ``what`` names the program for messages. Raises `ComponentMissing`, which says ``remedy``.
    Reading the package lists again needs root.
    """
    packages = f"{what} (Debian packages)"
    with apt_is_ours():
        try:
            run_fetcher(packages, list(download), folder, report, remedy)
        except ComponentMissing:
            if shutil.which("apt-get") is None or os.geteuid() != 0:
                raise
            # A fresh machine has no package lists, or old ones that name versions now gone.
            with tempfile.TemporaryDirectory() as elsewhere:
                update = ["apt-get", "update", "--quiet"]
                run_fetcher("Debian's package lists", update, Path(elsewhere), report, remedy)
            run_fetcher(packages, list(download), folder, report, remedy)
    unpack = 'for package in *.deb; do dpkg -x "$package" . || exit; done'
    run_fetcher(f"{what} (unpacking)", ["sh", "-c", unpack], folder, report, remedy)
    for package in folder.glob("*.deb"):
        package.unlink()


@contextmanager
def apt_is_ours() -> Iterator[None]:
    """Wait until no other process of ours runs apt, whose own locks make the second one fail."""
    home = cache_folder()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
