"""Peers in Java: each is built with Maven on first use, from jars that a lock holds.

``python -m bench.java_peers`` writes the locks again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.machine import ROOT
from services.local_stack.cache import Report as Say
from services.local_stack.cache import cached, run_fetcher
from services.local_stack.jar_lock import check_jars
from tools.supply_chain.lock_jars import lock_jars

PACKAGE: Final = "dev.wattoken.bench"
QUIET: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"


@dataclass(frozen=True, slots=True)
class JavaPeer:
    """A folder with a pom.xml, ``jars.lock`` and sources, and how its class is run."""

    name: str
    title: str
    folder: Path
    main: str
    options: tuple[str, ...]

    @property
    def pom(self) -> Path:
        """What it depends on."""
        return self.folder / "pom.xml"

    @property
    def lock(self) -> Path:
        """The jars that the pom resolves to, with their checksums."""
        return self.folder / "jars.lock"

    @property
    def ours(self) -> str:
        """The jar that is built and not fetched."""
        return f"bench-{self.folder.name}-1.jar"

    @property
    def setup(self) -> str:
        """How it is set up: the Javadoc of its main class."""
        source = next(self.folder.rglob(f"{self.main}.java"))
        found = re.search(r"/\*\*(.*?)\*/", source.read_text(encoding="utf-8"), re.DOTALL)
        assert found is not None
        lines = (line.strip().removeprefix("*").strip() for line in found[1].splitlines())
        return "\n".join(lines).replace("<p>", "").strip()

    def command(self, say: Say) -> list[str]:
        """The command that runs it; builds it first if its sources have changed.

        Raises `ComponentMissing` without Maven, or where a jar is not the locked one.
        """
        sources = [self.pom, self.lock, *sorted(self.folder.rglob("*.java"))]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]

        def build(folder: Path) -> None:
            maven = ("mvn", "--batch-mode", "--quiet", "--strict-checksums")
            run_fetcher(
                f"the {self.title} peer",
                [*maven, "--file", str(self.pom), "package", f"-Dbench.build={folder}"],
                folder,
                say,
                "install Maven and a JDK >= 17, or leave it out with --only",
            )
            check_jars(folder / "jars", self.lock, ours=self.ours)

        jars = cached(f"bench-{self.folder.name}-{digest}", build) / "jars"
        return ["java", *self.options, "-cp", f"{jars}/*", f"{PACKAGE}.{self.main}"]


#: What Flink's own start scripts open for it on a Java of modules.
FLINK_OPENS: Final = tuple(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        *("java.lang", "java.net", "java.io", "java.nio", "java.text", "java.time"),
        *("java.util", "java.util.concurrent", "java.util.concurrent.atomic"),
        *("java.util.concurrent.locks", "sun.nio.ch", "java.lang.reflect"),
    )
)
KAFKA_STREAMS: Final = JavaPeer(
    *("kafka_streams", "Kafka Streams", ROOT / "bench" / "kafka-streams", "WindowedSum"),
    ("-Xms4g", "-Xmx4g", "-XX:+UseParallelGC", QUIET),
)
FLINK_SQL: Final = JavaPeer(
    *("flink_sql", "Flink SQL", ROOT / "bench" / "flink-sql", "FlinkSql"),
    # Beside the heap it has 1 GB of its own: together what the other one has.
    ("-Xms3g", "-Xmx3g", "-XX:+UseParallelGC", QUIET, "-Djava.io.tmpdir=.", *FLINK_OPENS),
)
JAVA_PEERS: Final = {peer.name: peer for peer in (KAFKA_STREAMS, FLINK_SQL)}


if __name__ == "__main__":
    for peer in JAVA_PEERS.values():
        lock_jars(peer.pom, peer.lock)
