"""Licences by their SPDX names: which are allowed, and what metadata calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: What may be used, linked and handed on with software under Apache-2.0 by naming its authors.
ALLOWED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC"),
        *("MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib"),
    }
)

#: Other names in the metadata of packages, in lower case.
CALLED: Final[Mapping[str, str]] = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}


def allowed(expression: str) -> bool:
    """Whether an SPDX expression is allowed: each part of an AND, any part of an OR.

    Without brackets, in which AND binds more than OR; what is not understood is not allowed.
    """
    alternatives = expression.split(" OR ")
    return any(all(part in ALLOWED for part in each.split(" AND ")) for each in alternatives)


def expression_of(named: str | None, classifiers: list[str], text: str) -> str | None:
    """The SPDX expression that a package's metadata amounts to, or None if it does not say.

    ``named`` is an expression already, by the newer metadata; several classifiers are taken as
    parts that all hold.
    """
    if named:
        return named
    known = {*ALLOWED, "MPL-2.0"}
    licence = CALLED.get(text.lower(), text)
    if licence in known:
        return licence
    by_class = [CALLED.get(each.lower()) for each in classifiers]
    found = sorted({each for each in by_class if each})
    return " AND ".join(found) if found and all(by_class) else None
