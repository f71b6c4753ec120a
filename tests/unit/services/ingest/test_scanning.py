"""What a request may have looked through is bounded, and each text is one piece however long."""

from __future__ import annotations

import re

import pytest

from services.ingest import scanning as module
from services.ingest.errors import TooLargeError
from services.ingest.salvage import salvaged, split
from services.ingest.scanning import BYTES_AT_ONCE_MAX, TEXT, afford, pieces, scanning

PATTERN = re.compile(TEXT + rb"|\[|\]", re.DOTALL)


def found(text: bytes) -> list[bytes]:
    return [text[begin:end] for begin, end in pieces(PATTERN, text)]


@pytest.mark.parametrize("escapes", [0, 1, 19_999, 20_000, 20_001, 70_000])
@pytest.mark.parametrize("last", [b"", b"x", b"\\"])
def test_a_text_is_one_piece(escapes: int, last: bytes) -> None:
    text = b'"' + b'\\"' * escapes + b'"'
    assert found(b"[" + text + b"]") == [b"[", text, b"]"]
    without_end = b'"' + b"\\n" * escapes + last
    assert found(b"[" + without_end) == [b"[", without_end]


def test_pieces_of_one_request_are_counted_together() -> None:
    with scanning(10):
        assert len(found(b"[]" * 3)) == 6
        with pytest.raises(TooLargeError, match="send valid JSON"):
            found(b"[]" * 3)
    with scanning(10):
        assert len(found(b"[]" * 5)) == 10


def test_a_text_that_is_too_long_is_not_looked_through() -> None:
    with pytest.raises(TooLargeError):
        salvaged(b" " * (BYTES_AT_ONCE_MAX + 1))


def test_bytes_of_one_request_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 100)
    with scanning():
        salvaged(b" " * 60)
        with pytest.raises(TooLargeError):
            split(b"[" + b" " * 60, 5)


def test_dear_things_are_paid_for_with_pieces() -> None:
    assert afford(10**9)  # Outside of a request nobody counts.
    with scanning(100):
        assert afford(60)
        assert not afford(60)
        assert afford(40)


@pytest.mark.parametrize("gap", [0, 1, 100, 2**17 - 20, 2**17 - 9, 2**17 - 5, 2**17, 2**18 - 3])
def test_what_a_stretch_ends_within_is_found_whole(gap: int) -> None:
    for value in (b"-Infinity", b"NaN", b'"' + b"x" * 50 + b'\\ud800"'):
        text = b"[" + b" " * gap + value + b" " * gap + b",1]"
        assert salvaged(text).replace(b" ", b"").endswith(b'",1]'), (gap, value)
        assert split(text, 5) == [b" " * gap + value + b" " * gap, b"1"]
