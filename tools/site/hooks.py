"""What MkDocs does besides for docs/: links that leave the folder, and the list of decisions.

MkDocs calls each function by its name (mkdocs.yml, ``hooks``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

from tools.site.decisions import decisions, listed
from tools.site.links import BrokenLinkError, outward

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
#: The page that the list of decisions is written below, and in the menu the place for all of them.
DECISIONS: Final = "adr/README.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put each decision into the menu, so that a new one needs no line there."""
    pages = [DECISIONS, *(f"adr/{each.file}" for each in decisions(DOCS / "adr"))]
    config.nav = [_filled(entry, pages) for entry in config.nav or []]
    return config


def _filled(entry: Any, pages: list[str]) -> Any:
    if isinstance(entry, dict):
        return {title: _filled(value, pages) for title, value in entry.items()}
    if isinstance(entry, list):
        return [_filled(each, pages) for each in entry]
    return pages if entry == DECISIONS else entry


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to the repository, and list the decisions on their own page."""
    source = DOCS / page.file.src_uri
    if page.file.src_uri == DECISIONS:
        markdown += listed(decisions(DOCS / "adr"))
    try:
        return outward(markdown, source, ROOT)
    except BrokenLinkError as error:
        raise PluginError(str(error)) from error
