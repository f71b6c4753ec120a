"""kcat, a Kafka client for the shell: the installed one, or Debian's packages in the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.local_stack.cache import Report, cache_folder, cached
from services.local_stack.debian import fetch_packages

UNPACKED = "kcat-debian"
#: The program, and the two libraries it needs beside the C library.
PACKAGES = ("kcat", "librdkafka1", "libyajl2")


def find_kcat() -> Path | None:
    """The ``kcat`` on the PATH, else the one fetched before, else None."""
    found = shutil.which("kcat")
    if found is not None:
        return Path(found)
    unpacked = cache_folder() / UNPACKED / "usr/bin/kcat"
    return unpacked if unpacked.exists() else None


def fetch_kcat(report: Report) -> Path:
    """`find_kcat`, or fetch Debian's packages, unpacked and not installed.

    Raises `ComponentMissing`. Reading the package lists again needs root.
    """
    found = find_kcat()
    if found is not None:
        return found

    def fetch(folder: Path) -> None:
        remedy = "install kcat and put it on the PATH"
        fetch_packages("kcat", ["apt-get", "download", *PACKAGES], folder, report, remedy)

    return cached(UNPACKED, fetch) / "usr/bin/kcat"


def kcat_command(binary: Path, *arguments: str) -> list[str]:
    """The command line that runs kcat with the libraries that were fetched with it."""
    libraries = sorted({str(path.parent) for path in binary.parents[1].glob("lib/*/*.so*")})
    if binary.parents[2].name != UNPACKED:
        return [str(binary), *arguments]
    return ["env", f"LD_LIBRARY_PATH={':'.join(libraries)}", str(binary), *arguments]
