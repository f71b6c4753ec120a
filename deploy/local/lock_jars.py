"""Writes the lock of the broker's jars anew, with Maven: ``python -m deploy.local.lock_jars``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local.jar_lock import jar_at, lock_text
from deploy.local.kafka import JARS, POM
from deploy.local.maven import copy_dependencies, maven_installed


def main() -> None:
    """Let Maven resolve ``pom.xml``, and write down what came."""
    if not maven_installed():
        sys.exit("the lock of the broker's jars is written with Maven: install it, and a JDK")
    with tempfile.TemporaryDirectory() as folder:
        command = copy_dependencies(POM, Path(folder), "-Dmdep.useRepositoryLayout=true")
        subprocess.run(command, check=True, stdout=sys.stderr)
        jars = [jar_at(Path(folder), path) for path in Path(folder).rglob("*.jar")]
    JARS.write_text(lock_text(POM, jars), "utf-8")
    print(f"{JARS}: {len(jars)} jars")


if __name__ == "__main__":
    main()
