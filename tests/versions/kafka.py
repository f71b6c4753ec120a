"""Apache Kafka of other versions than the local stack's: the oldest supported and the newest.

``python -m tests.versions.kafka`` writes the locks of their jars again, with Maven.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from services.local_stack.cache import Report, cached
from services.local_stack.kafka import POM, kafka_jars, kafka_version
from services.local_stack.maven import fetch_jars
from tools.supply_chain.lock_jars import lock_jars

#: Exact releases on Maven Central.
OLDEST = "3.9.2"
NEWEST = "4.4.0"
#: A lock for each of them: the jars, with their checksums.
LOCKS = Path(__file__).with_name("kafka_jars")


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
    pom, lock = pom_of(version), lock_of(version)

    def fetch(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as apart:
            path = Path(apart, "pom.xml")
            path.write_text(pom, encoding="utf-8")
            fetch_jars(f"Apache Kafka {version}", path, lock, folder, report)

    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:8]
    return cached(f"kafka-{version}-other-{digest}", fetch)


def lock_of(version: str) -> Path:
    """Where the lock of a version's jars lies."""
    return LOCKS / f"{version}.lock"


def main() -> None:
    """Write the locks again."""
    LOCKS.mkdir(exist_ok=True)
    for version in (OLDEST, NEWEST):
        with tempfile.TemporaryDirectory() as apart:
            path = Path(apart, "pom.xml")
            path.write_text(pom_of(version), encoding="utf-8")
            lock_jars(path, lock_of(version))


if __name__ == "__main__":
    main()
