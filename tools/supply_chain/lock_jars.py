"""Writes the lock of the broker's jars, with Maven: ``python -m tools.supply_chain.lock_jars``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from services.local_stack.jar_lock import jar_at, lock_text
from services.local_stack.kafka import JARS, POM
from services.local_stack.maven import copy_dependencies, maven_installed


def lock_jars(pom: Path, lock: Path) -> None:
    """Let Maven resolve ``pom``, and write down what came; ends the process without Maven."""
    if not maven_installed():
        sys.exit("locks of jars are written with Maven: install it, and a JDK")
    with tempfile.TemporaryDirectory() as folder:
        command = copy_dependencies(pom, Path(folder), "-Dmdep.useRepositoryLayout=true")
        subprocess.run(command, check=True, stdout=sys.stderr)
        jars = [jar_at(Path(folder), path) for path in Path(folder).rglob("*.jar")]
    lock.write_text(lock_text(pom, jars), "utf-8")
    print(f"{lock}: {len(jars)} jars")


if __name__ == "__main__":
    lock_jars(POM, JARS)
