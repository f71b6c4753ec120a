"""Prometheus 3 for the tests: Debian's package of its unstable suite, unpacked into the cache.

The stable suite has 2.42, which the other tests run on. The unstable one moves on, so which version
it is, is only known once it is here; it had 3.5 when this was written, as docker-compose.yml pins.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from services.local_stack.cache import Report, cached
from services.local_stack.debian import fetch_packages
from services.local_stack.errors import ComponentMissing

UNPACKED = "prometheus-promtool-debian-unstable"
SOURCE = "deb http://deb.debian.org/debian sid main"
#: Options of apt-get that leave the machine's own lists alone, and fetch no more than it takes.
APT = (
    *("--quiet", "-o", "Dir::Etc::SourceList=$PWD/apt/sources.list"),
    *("-o", "Dir::Etc::SourceParts=/dev/null", "-o", "Dir::State::lists=$PWD/apt/lists"),
    *("-o", "Dir::Cache=$PWD/apt", "-o", "APT::Sandbox::User=root"),
    *("-o", "Acquire::Languages=none"),
    *("-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false"),
)
FETCH = f"""
set -e
mkdir -p apt/lists/partial apt/archives/partial
echo "{SOURCE}" > apt/sources.list
apt-get {" ".join(APT)} update
apt-get {" ".join(APT)} download prometheus promtool
rm -r apt
"""


def fetch_newest(report: Report) -> Path:
    """Path of a newer ``prometheus``, fetched on first use; raises `ComponentMissing`.

    ``promtool`` is beside it. Needs root, to read package lists, and a Debian's apt.
    """

    def fetch(folder: Path) -> None:
        remedy = "only the tests of the newest Prometheus need it"
        command = ["sh", "-c", FETCH]
        fetch_packages("Prometheus of Debian unstable", command, folder, report, remedy)

    return cached(UNPACKED, fetch) / "usr/bin/prometheus"


def newest_prometheus() -> Path | None:
    """`fetch_newest`, or None where this machine cannot have or run it; says which it is.

    Not even in CI is it a failure: what that suite has, and what it needs, is not ours to promise.
    """
    try:
        binary = fetch_newest(print)
        version = version_of(binary)
    except (ComponentMissing, OSError, subprocess.CalledProcessError) as error:
        print(f"no newer Prometheus: {error}")
        return None
    print(f"Prometheus {version}")
    return binary


def version_of(binary: Path) -> str:
    """What a Prometheus or promtool says its version is."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+\.\d+\.\d+)", said.stdout + said.stderr)
    assert found is not None, said
    return found[1]
