"""Links of a page that leave docs/, as addresses in the repository.

In the repository a page leads to code and to README by relative links. The site has neither, so
there they become addresses of the repository's main branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

REPOSITORY: Final = "https://github.com/wattoken/wattoken"
_LINK: Final = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_FENCE: Final = re.compile(r"^\s*(`{3,}|~{3,})")
#: A link that says where it leads by itself.
_ABSOLUTE: Final = re.compile(r"^([a-z][a-z0-9+.-]*:|#)")


class BrokenLinkError(ValueError):
    """A relative link that leads to nothing in the repository."""


def outward(markdown: str, page: Path, root: Path) -> str:
    """The page with each link that leaves ``root/docs`` made absolute; code blocks stay.

    Raises `BrokenLinkError` where such a link leads nowhere.
    """
    return "".join(
        line if in_code else _LINK.sub(lambda found: _address(found[1], page, root), line)
        for line, in_code in _lines(markdown)
    )


def _lines(markdown: str) -> Iterator[tuple[str, bool]]:
    fence = ""
    for line in markdown.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
            yield line, True
        elif found and fence and found[1].startswith(fence):
            fence = ""
            yield line, True
        else:
            yield line, bool(fence)


def _address(link: str, page: Path, root: Path) -> str:
    if _ABSOLUTE.match(link):
        return link
    path, mark, anchor = link.partition("#")
    target = (page.parent / path).resolve()
    if target.is_relative_to(root / "docs"):
        return f"{path}/README.md{mark}{anchor}" if (target / "README.md").exists() else link
    if not target.is_relative_to(root) or not target.exists():
        raise BrokenLinkError(f"{page.relative_to(root)}: {link} leads nowhere: correct the link")
    kind = "tree" if target.is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{target.relative_to(root).as_posix()}{mark}{anchor}"
