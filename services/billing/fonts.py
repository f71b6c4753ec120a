"""Which fonts a bill is drawn with, and what they can write; needs the extra `bills`.

The Noto fonts come as packages; a folder of the operator's own may have others, which are taken
first. System fonts are left out: a bill looks the same wherever it is printed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import typst
from fontTools.ttLib import TTCollection, TTFont

from services.platform.errors import ConfigurationError

#: Packages that are nothing but fonts: Noto Sans of many scripts, and of Chinese, Japanese, Korean.
PACKAGES: Final = ("manimgx_fonts", "manimgx_fonts_cjk")
LATIN: Final = "Noto Sans"
#: It has all characters below this, but for controls; so most bills need no look into fonts.
LATIN_END: Final = 0x250
#: The family of each way of writing Han characters, in the order of preference where a text tells
#: nothing: kana tell Japanese, hangul Korean.
HAN: Final = {"SC": "Noto Sans CJK SC", "JP": "Noto Sans CJK JP", "KR": "Noto Sans CJK KR"}
SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})


class BillFonts:
    """The fonts of the packages and of a folder, looked through once.

    Raises `ConfigurationError` where the folder has none.
    """

    def __init__(self, folder: Path | None) -> None:
        own = [] if folder is None else _files(folder)
        if folder is not None and not own:
            raise ConfigurationError(f"WATTOKEN_STATEMENT_FONT_DIR: no font is in {folder}")
        folders = [path for name in PACKAGES if (path := _package(name)) is not None]
        self._own = typst.Fonts(False, False, [str(folder)]).families() if folder else []
        files = [*own, *(file for path in folders for file in _files(path))]
        self._files = files
        paths = [str(path) for path in (*([folder] if folder else []), *folders)]
        self.loaded = typst.Fonts(False, False, paths)

    @cached_property
    def _characters(self) -> frozenset[int]:
        return frozenset(one for file in self._files for one in _characters(file))

    def missing(self, texts: Iterable[str]) -> list[str]:
        """The characters that no font has, those left out that only steer how others look."""
        used = {one for text in texts for one in text if ord(one) >= LATIN_END}
        if not used:
            return []
        return sorted(one for one in used if ord(one) not in self._characters and not _steers(one))

    def order(self, texts: Iterable[str]) -> list[str]:
        """All families, in the order in which a character is looked for in them."""
        names = "".join({unicodedata.name(one, "")[:9] for text in texts for one in text})
        first = "JP" if "KATAKANA" in names or "HIRAGANA" in names else "SC"
        first = "KR" if "HANGUL" in names else first
        han = [HAN[first], *(family for way, family in HAN.items() if way != first)]
        known = self.loaded.families()
        wanted = [*self._own, LATIN, *han]
        return [
            *(one for one in wanted if one in known),
            *(one for one in known if one not in wanted),
        ]


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _characters(path: Path) -> frozenset[int]:
    """The characters that a file has; of a collection, those of its first font."""
    if path.suffix.lower() in {".ttc", ".otc"}:
        with TTCollection(path, lazy=True) as fonts:
            return frozenset(fonts.fonts[0].getBestCmap())
    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap() or ())


def _steers(character: str) -> bool:
    """Whether a character is no mark on paper: a joiner, a selector of variants, a break."""
    return unicodedata.category(character) in {"Cf", "Zl", "Zp", "Cc"} or (
        0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
    )
