"""axe-core, which looks for what keeps people from using a page: fetched from npm, for tests only.

MPL-2.0; it is neither changed nor shipped.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from pathlib import Path
from typing import Final

from services.local_stack.cache import Report, cached, run_fetcher
from services.local_stack.errors import ComponentMissing
from services.local_stack.npm import npm

VERSION: Final = "4.14.1"
#: SHA-512 of the package, as `npm view axe-core@VERSION dist.integrity` says it.
INTEGRITY: Final = (
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASy"
    "FNNtuFooJpZe37OgudVGtQ=="
)
SCRIPT: Final = "package/axe.min.js"


def axe_script(report: Report) -> str:
    """Give the text of axe-core, fetched on first use; raises `ComponentMissing`."""
    folder = cached(f"axe-core-{VERSION}", lambda folder: _fetch(folder, report))
    return (folder / "axe.min.js").read_text(encoding="utf-8")


def _fetch(folder: Path, report: Report) -> None:
    with npm(report) as tool:
        command = [*tool.command, "pack", "--silent", f"axe-core@{VERSION}"]
        remedy = "see that npm reaches its registry"
        run_fetcher(
            *(f"axe-core {VERSION}", command, folder, report, remedy), tool="npm", env=tool.env
        )
    tarball = next(folder.glob("*.tgz"))
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != INTEGRITY:
        raise ComponentMissing(f"{tarball.name} has another SHA-512 than {Path(__file__).name}")
    with tarfile.open(tarball) as archive:
        script = archive.extractfile(SCRIPT)
        assert script is not None
        (folder / "axe.min.js").write_bytes(script.read())
    tarball.unlink()
