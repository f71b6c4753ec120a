"""The Collector's program: built with ocb from locked modules, once, into the cache.

``python -m tests.otel_collector.build`` builds it where Go is; ``--lock`` renews the lock.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from services.local_stack.cache import Report, cached, run_fetcher
from services.local_stack.errors import ComponentMissing

HERE = Path(__file__).parent
MANIFEST = HERE / "builder.yaml"
#: The modules of Collector and builder, and their checksums.
MODULES = HERE / "go.mod"
SUMS = HERE / "go.sum"
BUILDER = "go.opentelemetry.io/collector/cmd/builder"
PROGRAM = "otelcol"
REMEDY = "install Go (https://go.dev) and see that `go env GOPROXY` is reached"
#: Nothing but what the lock has, even where this machine's settings would allow more.
#: An older Go would fetch a newer one, which no lock of ours has.
LOCKED_ENV = {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"}
#: Without symbols and debug information, which nobody looks at here.
BUILD = ("go", "build", "-trimpath", "-ldflags=-s -w", "-o")


def collector_version() -> str:
    """The version that the manifest names."""
    found = re.search(r"^  version: (\S+)$", MANIFEST.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def fetch_collector(report: Report) -> Path:
    """The Collector's program, built at first use, which takes minutes.

    Raises `ComponentMissing` without Go, or where a module cannot be had or is not the locked one.
    """
    what = f"OpenTelemetry Collector {collector_version()}"

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="wattoken-otelcol-") as work:
            place = Path(work)
            generate(what, place, report)
            source = place / "source"
            for lock in (MODULES, SUMS):
                shutil.copy(lock, source)
            command = [*BUILD, str(folder / PROGRAM), "."]
            run_fetcher(what, command, source, report, REMEDY, env=LOCKED_ENV)

    # Named after the lock's text too: other modules are another folder.
    locked = b"".join(path.read_bytes() for path in (MANIFEST, MODULES, SUMS))
    digest = hashlib.sha256(locked).hexdigest()[:8]
    return cached(f"otelcol-{collector_version()}-{digest}", build) / PROGRAM


def generate(what: str, place: Path, report: Report) -> None:
    """Build the builder in ``place`` and let it write the Collector's source there."""
    for part in (MANIFEST, MODULES, SUMS):
        shutil.copy(part, place)
    builder = place / "ocb"
    command = [*BUILD, str(builder), BUILDER]
    run_fetcher(f"the builder of {what}", command, place, report, REMEDY, env=LOCKED_ENV)
    write = [str(builder), "--config", MANIFEST.name]
    # It would resolve the modules again, and build with what it found.
    write += ["--skip-get-modules", "--skip-compilation"]
    run_fetcher(f"the source of {what}", write, place, report, REMEDY, tool="its builder")


def lock() -> None:
    """Resolve the manifest's modules again, and write the lock."""
    with tempfile.TemporaryDirectory(prefix="wattoken-otelcol-") as work:
        source = Path(work) / "source"
        shutil.copy(MANIFEST, work)
        version = f"{BUILDER}@v{collector_version()}"
        write = ["go", "run", version, "--config", MANIFEST.name, "--skip-compilation"]
        subprocess.run(write, cwd=work, check=True)
        subprocess.run(["go", "get", "-tool", version], cwd=source, check=True)
        subprocess.run(["go", "mod", "tidy"], cwd=source, check=True)
        for name in (MODULES, SUMS):
            shutil.copy(source / name.name, name)


def main() -> None:
    """Build, or renew the lock; where it cannot be built, say so and leave it to the tests."""
    if "--lock" in sys.argv[1:]:
        lock()
        return
    try:
        print(fetch_collector(print))
    except ComponentMissing as error:
        print(f"not tested here: {error}")


if __name__ == "__main__":
    main()
