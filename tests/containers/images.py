"""The images: a Python base, the stand-ins for those of others, and our own from its Dockerfile.

No registry of container images is asked. The base is made of Debian's packages and has what our
Dockerfile needs of the official Python image: Python, pip and apt.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from services.local_stack.cache import Report, run_fetcher
from services.local_stack.kafka import BROKER, kafka_jars
from services.local_stack.prometheus import fetch_prometheus
from services.local_stack.wheels import LOCKS
from services.platform.supported import minor_release
from tests.containers import machine
from tests.containers.engine import Engine
from tests.contract.compose_file import services
from tests.versions import clickhouse

STAND_INS: Final = Path(__file__).with_name("stand_ins")
#: The services of the compose files that run somebody else's image.
OTHERS: Final = ("kafka", "clickhouse", "prometheus", "grafana", "proxy")

#: Left out as in Debian's official images.
LEFT_OUT: Final = ("man", "doc", "info", "locale")
PACKAGES: Final = ("python3", "python3-venv", "python3-pip", "python-is-python3", "ca-certificates")
#: Without it, a package that merges /usr would bring all of Perl along.
MERGED_USR: Final = Path("/usr/share/mmdebstrap/hooks/merged-usr")


def base_image(engine: Engine, report: Report) -> str:
    """Name of the base, made where it is not there yet; raises `ComponentMissing`."""
    release = machine.codename()
    command = [
        *["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"],
        *([f"--hook-dir={MERGED_USR}"] if MERGED_USR.exists() else []),
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT),
        # Nobody minds if the machine's end loses a half-made base.
        "--dpkgopt=force-unsafe-io",
        *[release, "base.tar", *map(str, machine.apt_sources(release))],
    ]
    name = f"localhost/wattoken-tests/python-base:{_digest(' '.join(command).encode())}"
    if not engine.has_image(name):
        with tempfile.TemporaryDirectory() as folder:
            # The folder is lent to apt's user in there.
            Path(folder).chmod(0o755)
            remedy = "see that apt reaches its mirror"
            run_fetcher(f"Debian {release} (base image)", command, Path(folder), report, remedy)
            engine.run("import", f"{folder}/base.tar", name)
    return name


def stand_in_images(engine: Engine, base: str, report: Report) -> dict[str, str]:
    """Name of the stand-in for each of `OTHERS`; raises `ComponentMissing`."""
    prometheus = fetch_prometheus(report)
    chdb = clickhouse.packages(pinned_clickhouse()) / "chdb"
    contexts = {
        "kafka-jars": kafka_jars(report),
        "broker": BROKER,
        "wheel-locks": LOCKS,
        "chdb": chdb,
        "chdb-libs": chdb.with_name("chdb.libs"),
        "launcher": clickhouse.LAUNCHER.parent,
        "prometheus-program": prometheus.parent,
    }
    sources = [*sorted(STAND_INS.iterdir()), clickhouse.LAUNCHER, BROKER / "log4j2.xml"]
    sources.append(LOCKS / "java.txt")
    recipe = [base, *map(str, contexts.values()), *(path.read_text() for path in sources)]
    digest = _digest("\0".join(recipe).encode())
    images = {}
    for target in OTHERS:
        name = f"localhost/wattoken-tests/{target}:{digest}"
        images[target] = name
        if engine.has_image(name):
            continue
        report(f"building the stand-in for {target}")
        with tempfile.TemporaryDirectory() as folder:
            engine.run(
                "build",
                *machine.build_mounts(Path(folder)),
                f"--build-arg=BASE={base}",
                *(f"--build-context={key}={path}" for key, path in contexts.items()),
                *[f"--target={target}", f"--tag={name}", f"--file={STAND_INS}/Containerfile"],
                str(STAND_INS),
            )
    return images


def pinned_clickhouse() -> str:
    """The minor release that docker-compose.yml names; it can be had as a whole server."""
    _, _, tag = str(services()["clickhouse"]["image"]).partition(":")
    version = ".".join(map(str, minor_release(tag)))
    assert version in clickhouse.SERVERS, f"no package has the server of ClickHouse {version}"
    return version


def _digest(recipe: bytes) -> str:
    return hashlib.sha256(recipe).hexdigest()[:12]
