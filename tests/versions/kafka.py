"""Apache Kafka of other versions than the local stack's: the oldest supported and the newest."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from deploy.local.cache import Report, cached, run_fetcher
from deploy.local.kafka import POM, kafka_jars, kafka_version
from deploy.local.maven import copy_dependencies

#: Exact releases on Maven Central.
OLDEST = "3.9.2"
NEWEST = "4.4.0"


def tested_versions() -> list[str]:
    """All versions that `make test` runs, oldest first."""
    return [OLDEST, kafka_version(), NEWEST]


def pom_of(version: str) -> str:
    """The local stack's pom.xml with another broker in it."""
    text = POM.read_text(encoding="utf-8")
    changed, times = re.subn(
        r"(<artifactId>kafka_2\.13</artifactId>\s*<version>)[^<]+", rf"\g<1>{version}", text
    )
    assert times == 1, f"{POM} does not name one broker"
    return changed


def jars_of(version: str, report: Report) -> Path:
    """Folder with the jars of a version, fetched on first use; raises `ComponentMissing`."""
    # The local stack's way first, for it sees to it that there is a Java.
    usual = kafka_jars(report)
    if version == kafka_version():
        return usual
    pom = pom_of(version)

    def fetch(folder: Path) -> None:
        (folder / "pom.xml").write_text(pom, encoding="utf-8")
        remedy = "install Maven and see that it reaches Maven Central"
        command = copy_dependencies(folder / "pom.xml", folder)
        run_fetcher(f"Apache Kafka {version}", command, folder, report, remedy)

    digest = hashlib.sha256(pom.encode()).hexdigest()[:8]
    return cached(f"kafka-{version}-other-{digest}", fetch)
