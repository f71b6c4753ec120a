"""ClickHouse as a process: the server inside chDB's official binary, from npm."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import sys
import tarfile
from pathlib import Path

from services.local_stack.cache import Report, cached, run_fetcher
from services.local_stack.errors import ComponentMissing
from services.local_stack.npm import npm
from services.local_stack.ports import LOOPBACK
from services.local_stack.processes import ChildPlan
from services.local_stack.readiness import clickhouse_answers

CHDB_VERSION = "26.7.3-stable.1"
LAUNCHER = Path(__file__).with_name("clickhouse_server.py")

#: npm package of each (system, machine) that chDB is built for.
PACKAGES = {
    ("Linux", "x86_64"): "@chdb/lib-linux-x64-gnu",
    ("Linux", "aarch64"): "@chdb/lib-linux-arm64-gnu",
    ("Darwin", "arm64"): "@chdb/lib-darwin-arm64",
    ("Darwin", "x86_64"): "@chdb/lib-darwin-x64",
}

#: SHA-512 of a package at `CHDB_VERSION`, as `npm view PACKAGE@VERSION dist.integrity` says it.
INTEGRITY = {
    "@chdb/lib-linux-x64-gnu": (
        "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=="
    ),
}

#: What ClickHouse leaves free of its disk: with less, an insert or a merge is refused before it
#: begins. chDB's build does not look at a failed write (`WriteBufferFromFileDescriptor::nextImpl`
#: leaves out the exception of ClickHouse's own), so on a disk without a byte it would answer an
#: insert, or put a merged part in the place of others, with nothing in its files. What has begun
#: has this room.
KEEP_FREE_BYTES = 64 * 1024**2

#: Names the SHA-512 where `INTEGRITY` has none: not every registry has every machine's package.
INTEGRITY_SETTING = "WATTOKEN_CHDB_INTEGRITY"


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
        check_tarball(folder, integrity)
        unpack_library(folder)

    integrity = integrity_of(package)
    name = f"chdb-{CHDB_VERSION}-{'-'.join(machine).lower()}"
    if package not in INTEGRITY:
        # Named after the sum too: what another sum let in is another folder.
        name += f"-{hashlib.sha256(integrity.encode()).hexdigest()[:8]}"
    return next(cached(name, fetch).glob("libchdb.*"))


def integrity_of(package: str) -> str:
    """The SHA-512 that a package must have, committed or set; raises `ComponentMissing`."""
    integrity = INTEGRITY.get(package) or os.environ.get(INTEGRITY_SETTING)
    if integrity is None:
        raise ComponentMissing(
            f"ClickHouse: no SHA-512 of {package} {CHDB_VERSION} is known; set {INTEGRITY_SETTING}"
            f" to what `npm view {package}@{CHDB_VERSION} dist.integrity` says if you trust who"
            " says it, or use docker-compose.yml or a server of your own"
        )
    return integrity


def check_tarball(folder: Path, integrity: str) -> None:
    """Raise `ComponentMissing` if the npm tarball in ``folder`` has another SHA-512 than given."""
    tarball = next(folder.glob("*.tgz"))
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if integrity != f"sha512-{base64.b64encode(digest).decode()}":
        raise ComponentMissing(
            f"ClickHouse: {tarball.name} has another SHA-512 than {Path(__file__).name} or"
            f" {INTEGRITY_SETTING} says; ask who serves your npm registry"
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
        "--",
        f"--storage_configuration.disks.default.keep_free_space_bytes={KEEP_FREE_BYTES}",
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
