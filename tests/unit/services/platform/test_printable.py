"""What moves the cursor, turns a line or hides is found and shown; what people write is neither."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platform.output import say
from services.platform.printable import not_printable, shown

HOSTILE = {
    "\x1b[2J": r"\x1b[2J",
    "a\nb": r"a\x0ab",
    "a\rb": r"a\x0db",
    "\x00": r"\x00",
    "\x7f": r"\x7f",
    "\x9b31m": r"\x9b31m",
    "a\u202eb": r"a\u202eb",
    "a\u2066b": r"a\u2066b",
    "a\u200bb": r"a\u200bb",
    "\ufeffa": r"\ufeffa",
    "a\u2028b": r"a\u2028b",
    "a\U000e0041": r"a\U000e0041",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_named_and_shown(text: str) -> None:
    named = not_printable(text)
    assert named is not None
    assert chr(int(named.removeprefix("U+"), 16)) in text
    assert shown(text) == HOSTILE[text]
    assert not_printable(shown(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "gpt-5",
        "Müller & Söhne",
        "模型",
        "نموذج",
        "می\u200cخواهم",
        "👩\u200d🔬",
        "a\u3000b",
        "a\u00a0b",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert not_printable(text) is None
    assert shown(text) == text


@given(st.text())
def test_no_control_and_no_turn_is_left(text: str) -> None:
    kinds = {unicodedata.bidirectional(one) for one in shown(text)}
    assert not kinds & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B", "S"}
    assert not any(unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") for one in shown(text))


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("model a\nwattoken: forged\x1b[2J")
    assert capsys.readouterr().out == "model a\\x0awattoken: forged\\x1b[2J\n"
