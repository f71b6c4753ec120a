"""Packages of npm that tests use: fetched once, unpacked, each held to its SHA-512."""

from __future__ import annotations

import base64
import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path

from services.local_stack.cache import Report, cached, run_fetcher
from services.local_stack.errors import ComponentMissing
from services.local_stack.npm import npm


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A version of a package, and its SHA-512 as ``npm view NAME@VERSION dist.integrity`` says."""

    name: str
    version: str
    integrity: str

    def unpacked(self, report: Report) -> Path:
        """Folder with the package's files, fetched on first use; raises `ComponentMissing`."""
        name = f"npm-{self.name.removeprefix('@').replace('/', '-')}-{self.version}"
        return cached(name, lambda folder: self._fetch(folder, report)) / "package"

    def _fetch(self, folder: Path, report: Report) -> None:
        with npm(report) as tool:
            command = [*tool.command, "pack", "--silent", f"{self.name}@{self.version}"]
            remedy = "see that npm reaches its registry"
            run_fetcher(
                *(f"{self.name} {self.version}", command, folder, report, remedy),
                tool="npm",
                env=tool.env,
            )
        tarball = next(folder.glob("*.tgz"))
        digest = hashlib.sha512(tarball.read_bytes()).digest()
        if f"sha512-{base64.b64encode(digest).decode()}" != self.integrity:
            raise ComponentMissing(f"{self.name} {self.version}: its SHA-512 is not the known one")
        with tarfile.open(tarball) as archive:
            archive.extractall(folder, filter="data")
        tarball.unlink()
