"""Jars from a Maven repository: by Maven where it is installed, else by a client from PyPI."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
import tempfile
from pathlib import Path

from services.local_stack.cache import Report, cache_folder, run_fetcher
from services.local_stack.jar_lock import check_jars
from services.local_stack.java import installed_java
from services.local_stack.wheels import fetch_wheels, locked_version

CENTRAL = "https://repo1.maven.org/maven2"
CLIENT = f"maven-artifact {locked_version('maven', 'maven-artifact')}"
CLIENT_SCRIPT = Path(__file__).with_name("maven_client.py")


def repository() -> str:
    """``$WATTOKEN_MAVEN_REPOSITORY``, a company's mirror for instance, else Maven Central."""
    return os.environ.get("WATTOKEN_MAVEN_REPOSITORY") or CENTRAL


def maven_installed() -> bool:
    """Whether the PATH has Maven, and a Java that it runs on."""
    return shutil.which("mvn") is not None and installed_java() is not None


def fetch_jars(what: str, pom: Path, lock: Path, folder: Path, report: Report) -> None:
    """Put the jars that ``pom`` needs at run time into ``folder``, each as ``lock`` has it.

    ``what`` names them for messages. Raises `ComponentMissing` when one cannot be had or is not
    the one that was locked.
    """
    if maven_installed():
        remedy = "see that Maven reaches its repository (settings.xml), or use `--broker tansu`"
        run_fetcher(what, copy_dependencies(pom, folder), folder, report, remedy)
    else:
        _fetch_with_client(what, lock, folder, report)
    check_jars(folder, lock)


def copy_dependencies(pom: Path, folder: Path, *options: str) -> list[str]:
    """The command by which Maven copies what ``pom`` needs at run time into ``folder``."""
    return [
        *["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(pom)],
        *["dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
        *["-DincludeScope=runtime", *options],
    ]


def _fetch_with_client(what: str, lock: Path, folder: Path, report: Report) -> None:
    remedy = (
        f"see that {repository()} is reached (WATTOKEN_MAVEN_REPOSITORY names another),"
        " or use `--broker tansu`"
    )
    with tempfile.TemporaryDirectory(prefix=".maven-", dir=cache_folder()) as client:
        fetch_wheels(f"a Maven client ({CLIENT})", "maven", Path(client), report, remedy)
        # Nothing but the standard library and what the lock names.
        command = [sys.executable, "-I", "-S", str(CLIENT_SCRIPT), client, repository(), str(lock)]
        run_fetcher(what, command, folder, report, remedy, tool=CLIENT, env=_trust())


def _trust() -> dict[str, str]:
    """Let the client trust what this machine trusts: by itself it knows public authorities only."""
    authorities = ssl.get_default_verify_paths().cafile
    if authorities is None or "REQUESTS_CA_BUNDLE" in os.environ:
        return {}
    return {"REQUESTS_CA_BUNDLE": authorities}
