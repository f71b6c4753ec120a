"""The schemas of Strimzi's custom resources, written by its own generator out of locked jars.

``python -m tests.helm.strimzi_schemas`` writes the lock again, with Maven.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import Final

from services.local_stack.cache import Report, cached, run_fetcher
from services.local_stack.java import find_java
from services.local_stack.maven import fetch_jars
from tools.supply_chain.lock_jars import lock_jars

STRIMZI: Final = Path(__file__).parent / "strimzi"
POM: Final = STRIMZI / "pom.xml"
LOCK: Final = STRIMZI / "jars.lock"
#: What Strimzi's jars are compiled for.
LEAST_JAVA: Final = 21
GENERATOR: Final = "io.strimzi.crdgenerator.CrdGenerator"
#: As Strimzi's own build calls it.
OPTIONS: Final = (
    *("--target-kube", "1.16+", "--crd-api-version", "v1"),
    *("--api-versions", "v1", "--storage-version", "v1", "--yaml"),
)
MODEL: Final = "io.strimzi.api.kafka.model"
CLASSES: Final = ("kafka.Kafka", "nodepool.KafkaNodePool", "topic.KafkaTopic", "user.KafkaUser")


def version() -> str:
    """The version that the committed ``pom.xml`` names."""
    found = re.search(r"<artifactId>api</artifactId>\s*<version>([^<]+)<", POM.read_text())
    assert found is not None
    return found[1]


def fetch_strimzi_schemas(report: Report) -> Path:
    """Folder with a definition of each of `CLASSES`; raises `ComponentMissing`."""
    what = f"Strimzi {version()}"

    def fetch(folder: Path) -> None:
        java = find_java(report, LEAST_JAVA, "Strimzi")
        with tempfile.TemporaryDirectory(prefix="wattoken-strimzi-") as jars:
            fetch_jars(what, POM, LOCK, Path(jars), report)
            files = [f"{MODEL}.{name}={folder}/{name.partition('.')[0]}.yaml" for name in CLASSES]
            command = [str(java), "-Xmx256m", "-cp", f"{jars}/*", GENERATOR, *OPTIONS, *files]
            remedy = f"see that this Java ({java}) runs"
            run_fetcher(f"the schemas of {what}", command, folder, report, remedy)

    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]
    return cached(f"strimzi-schemas-{version()}-{digest}", fetch)


if __name__ == "__main__":
    lock_jars(POM, LOCK)
