"""Fonts of bills: what they can write, and whose way of writing Han characters is taken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("typst")
pytest.importorskip("fontTools")

from services.billing.fonts import BillFonts
from services.platform.errors import ConfigurationError


def test_most_scripts_are_there_and_what_is_not_is_named() -> None:
    fonts = BillFonts(None)
    assert fonts.missing(["Zoë, 北京, 東京, 서울, Київ, Αθήνα, القاهرة, 🙂"]) == []
    assert fonts.missing(["ᚠ plain 𓀀"]) == ["ᚠ", "𓀀"]
    # Joiners and selectors draw nothing themselves.
    assert fonts.missing(["\u200d\ufe0f"]) == []


@pytest.mark.parametrize(
    ("text", "way"), [("北京", "SC"), ("東京の", "JP"), ("カナ 北京", "JP"), ("한국 北京", "KR")]
)
def test_kana_and_hangul_tell_how_han_is_written(text: str, way: str) -> None:
    order = BillFonts(None).order([text])
    assert order[:2] == ["Noto Sans", f"Noto Sans CJK {way}"]
    assert len(order) == len(set(order)) > 20


def test_fonts_of_ones_own_are_taken_first(tmp_path: Path) -> None:
    import manimgx_fonts

    thai = Path(manimgx_fonts.__file__).with_name("NotoSansThai[wght].ttf")
    shutil.copy(thai, tmp_path / "mine.ttf")
    assert BillFonts(tmp_path).order(["a"])[0] == "Noto Sans Thai"


def test_a_folder_without_fonts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no font")
    with pytest.raises(ConfigurationError, match="WATTOKEN_STATEMENT_FONT_DIR: no font is in"):
        BillFonts(tmp_path)
    with pytest.raises(ConfigurationError, match="no font is in"):
        BillFonts(tmp_path / "nowhere")
