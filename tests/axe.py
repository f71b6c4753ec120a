"""axe-core, which looks for what keeps people from using a page: fetched from npm, for tests only.

MPL-2.0; it is neither changed nor shipped.
"""

from __future__ import annotations

from typing import Final

from services.local_stack.cache import Report
from tests.npm_package import NpmPackage

AXE: Final = NpmPackage(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASy"
    "FNNtuFooJpZe37OgudVGtQ==",
)


def axe_script(report: Report) -> str:
    """Give the text of axe-core, fetched on first use; raises `ComponentMissing`."""
    return (AXE.unpacked(report) / "axe.min.js").read_text(encoding="utf-8")
