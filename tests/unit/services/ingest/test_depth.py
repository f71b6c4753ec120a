"""Depth is counted outside of texts, and only beyond the limit refused."""

from __future__ import annotations

import msgspec
import pytest

from services.ingest.depth import DEPTH_MAX, check_depth
from services.ingest.errors import EventRejectedError


@pytest.mark.parametrize("raw", [b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, b"[[],{}]" * 100])
def test_up_to_the_limit_is_let_in(raw: bytes) -> None:
    check_depth(raw)
    check_depth(msgspec.Raw(raw))


@pytest.mark.parametrize("raw", [b"[" * (DEPTH_MAX + 1), b'{"a":[' * DEPTH_MAX, b"[{}," * 40])
def test_beyond_it_is_refused(raw: bytes) -> None:
    with pytest.raises(EventRejectedError) as caught:
        check_depth(raw)
    assert caught.value.code == "too_deep"


def test_brackets_in_a_text_are_no_depth() -> None:
    check_depth(b'{"a":"' + b"[" * 100 + b'\\"' + b"{" * 100 + b'"}')
