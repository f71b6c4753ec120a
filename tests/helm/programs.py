"""Helm, our checker and the schemas of custom resources: each from locked modules, once, cached.

``python -m tests.helm.programs`` builds them where Go is; ``--lock`` renews the lock.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from services.local_stack.cache import Report, cached, run_fetcher
from services.local_stack.errors import ComponentMissing
from tests.helm.strimzi_schemas import fetch_strimzi_schemas
from tests.otel_collector.build import LOCKED_ENV, REMEDY

HERE: Final = Path(__file__).parent
PROGRAM: Final = HERE / "program"
HELM: Final = "helm.sh/helm/v3/cmd/helm"
CUSTOM_RESOURCES: Final = HERE / "custom_resources"
#: Module -> the files of it that are kept: schemas, and the source that says which metadata a
#: trigger of KEDA has.
KEPT: Final[dict[str, tuple[str, ...]]] = {
    "github.com/kedacore/keda/v2": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
        "pkg/scalers/kafka_scaler.go",
    ),
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}


def build_of(package: str, program: Path) -> list[str]:
    """The command that builds a program; Helm is told its Kubernetes, as its releases are."""
    modules = (PROGRAM / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"k8s\.io/kubernetes v(\d+)\.(\d+)", modules)
    assert found is not None
    told = [
        f"-X helm.sh/helm/v3/pkg/{where}.k8sVersion{part}={number}"
        for where in ("chartutil", "lint/rules")
        for part, number in zip(("Major", "Minor"), found.groups(), strict=True)
    ]
    flags = " ".join(["-s -w", *told])
    return ["go", "build", "-trimpath", f"-ldflags={flags}", "-o", str(program), package]


def digest_of(folder: Path, *patterns: str, besides: str = "") -> str:
    """What tells two states of a Go module apart."""
    found = hashlib.sha256(besides.encode())
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        found.update(path.read_bytes())
    return found.hexdigest()[:8]


def fetch_programs(report: Report) -> Path:
    """Folder with ``helm`` and ``checker``, built at first use, which takes minutes.

    Raises `ComponentMissing` without Go, or where a module cannot be had or is not the locked one.
    """

    def build(folder: Path) -> None:
        for name, package in (("helm", HELM), ("checker", "./checker")):
            command = build_of(package, folder / name)
            run_fetcher(f"tests' {name}", command, PROGRAM, report, REMEDY, env=LOCKED_ENV)

    command = " ".join(build_of(HELM, Path("helm")))
    digest = digest_of(PROGRAM, "go.mod", "go.sum", "checker/*.go", besides=command)
    return cached(f"helm-{digest}", build)


def fetch_custom_resources(report: Report) -> Path:
    """Folder with the files of `KEPT`; raises as `fetch_programs` does."""
    what = "schemas of custom resources"

    def fetch(folder: Path) -> None:
        command = ["go", "mod", "download", *KEPT]
        run_fetcher(what, command, CUSTOM_RESOURCES, report, REMEDY, env=LOCKED_ENV)
        for module, files in KEPT.items():
            found = folder_of(module)
            for file in files:
                shutil.copy(found / file, folder)

    return cached(f"custom-resources-{digest_of(CUSTOM_RESOURCES, 'go.*')}", fetch)


def folder_of(module: str) -> Path:
    """Where Go has a module that was downloaded."""
    said = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd=CUSTOM_RESOURCES,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(json.loads(said.stdout)["Dir"])


def lock() -> None:
    """Resolve the modules again, and write the locks."""
    subprocess.run(["go", "mod", "tidy"], cwd=PROGRAM, check=True)
    (CUSTOM_RESOURCES / "go.sum").unlink(missing_ok=True)
    subprocess.run(["go", "mod", "download", *KEPT], cwd=CUSTOM_RESOURCES, check=True)


def main() -> None:
    """Build, or renew the locks; where it cannot be built, say so and leave it to the tests."""
    if "--lock" in sys.argv[1:]:
        lock()
        return
    try:
        print(fetch_programs(print))
        print(fetch_custom_resources(print))
        print(fetch_strimzi_schemas(print))
    except ComponentMissing as error:
        print(f"not tested here: {error}")


if __name__ == "__main__":
    main()
