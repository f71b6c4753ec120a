"""ClickHouse as a process: the server inside chDB's official binary, from npm."""

from __future__ import annotations

import base64
import hashlib
import platform
import sys
import tarfile
from pathlib import Path

from deploy.local.cache import Report, cached, run_fetcher
from deploy.local.errors import ComponentMissing
from deploy.local.npm import npm
from deploy.local.ports import LOOPBACK
from deploy.local.processes import ChildPlan
from deploy.local.readiness import clickhouse_answers

CHDB_VERSION = "26.7.3-stable.1"
LAUNCHER = Path(__file__).with_name("clickhouse_server.py")

#: npm package of each (system, machine) that chDB is built for.
PACKAGES = {
    ("Linux", "x86_64"): "@chdb/lib-linux-x64-gnu",
    ("Linux", "aarch64"): "@chdb/lib-linux-arm64-gnu",
    ("Darwin", "arm64"): "@chdb/lib-darwin-arm64",
    ("Darwin", "x86_64"): "@chdb/lib-darwin-x64",
}

#: SHA-512 of a package at `CHDB_VERSION`, as `npm view PACKAGE@VERSION dist.integrity` says it. npm
#: itself holds every package to what its registry says; those named here do not depend on it.
INTEGRITY = {
    "@chdb/lib-linux-x64-gnu": (
        "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=="
    ),
}


def clickhouse_library(report: Report) -> Path:
    """Path of chDB's shared library, fetched on first use; raises `ComponentMissing`."""
    machine = (platform.system(), platform.machine())
    package = PACKAGES.get(machine)
    if package is None:
        raise ComponentMissing(
            f"ClickHouse: chDB is not built for {' '.join(machine)};"
            " use docker-compose.yml or a server of your own"
        )

    def fetch(folder: Path) -> None:
        what = f"ClickHouse ({package} {CHDB_VERSION})"
        remedy = "see that npm reaches its registry"
        with npm(report) as tool:
            command = [*tool.command, "pack", "--silent", f"{package}@{CHDB_VERSION}"]
            run_fetcher(what, command, folder, report, remedy, tool="npm", env=tool.env)
        check_tarball(folder, INTEGRITY.get(package))
        unpack_library(folder)

    folder = cached(f"chdb-{CHDB_VERSION}-{'-'.join(machine).lower()}", fetch)
    return next(folder.glob("libchdb.*"))


def check_tarball(folder: Path, integrity: str | None) -> None:
    """Raise `ComponentMissing` if the npm tarball in ``folder`` has another SHA-512 than given."""
    tarball = next(folder.glob("*.tgz"))
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if integrity not in (None, f"sha512-{base64.b64encode(digest).decode()}"):
        raise ComponentMissing(
            f"ClickHouse: {tarball.name} has another SHA-512 than {Path(__file__).name} says;"
            " ask who serves your npm registry"
        )


def unpack_library(folder: Path) -> None:
    """Take the library out of the npm tarball in ``folder`` and drop the tarball."""
    tarball = next(folder.glob("*.tgz"))
    with tarfile.open(tarball) as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and name.startswith("libchdb."):
                member.name = name
                archive.extract(member, folder, filter="data")
    tarball.unlink()
    if not list(folder.glob("libchdb.*")):
        raise ComponentMissing(f"ClickHouse: {tarball.name} holds no libchdb")


def clickhouse_plan(
    library: Path, data: Path, http_port: int, tcp_port: int, log_path: Path
) -> ChildPlan:
    """A ClickHouse server on loopback, without users, with its data in ``data``.

    The query starts the listeners and then reads standard input, which the supervisor holds open:
    its end is the server's orderly end.
    """
    command = [
        *[sys.executable, "-I", "-S", str(LAUNCHER), str(library)],
        f"--path={data}",
        f"--listen_host={LOOPBACK}",
        f"--http_port={http_port}",
        f"--tcp_port={tcp_port}",
        "--logger.console=1",
        "--log-level=information",
        "--query",
        "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT count() FROM table FORMAT Null",
        "--input-format=LineAsString",
        "--structure=line String",
    ]
    return ChildPlan(
        name="clickhouse",
        command=command,
        log_path=log_path,
        ready=clickhouse_answers(http_port),
        ready_timeout_seconds=60,
        directory=data,
        ends_with_stdin=True,
    )
