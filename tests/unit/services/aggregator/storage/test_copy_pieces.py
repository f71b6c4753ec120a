"""Pieces of a copy and their seals."""

from __future__ import annotations

import pytest

from services.aggregator.arrays.cuts import Cut
from services.aggregator.core.run_copies import Copied
from services.aggregator.core.runs import Stretch
from services.aggregator.storage.copy_pieces import (
    PIECE_BYTES,
    DamagedCopyError,
    pieces_for,
    seal_of,
    unsealed,
)

PIECES = [b"first", b"second", b"rest"]
COPIED = Copied(Stretch(Cut(), Cut(9, 9), 0, 9, 9), 0xFEED, 3, 15)


def sealed(pieces: list[bytes], token: int = COPIED.token) -> list[tuple[int, bytes]]:
    return [(seal_of(token, number, piece), piece) for number, piece in enumerate(pieces)]


def test_what_was_sealed_comes_out() -> None:
    assert list(unsealed(COPIED, sealed(PIECES))) == PIECES


def test_the_seal_is_what_databases_have() -> None:
    """By another number copies of before would be damaged ones."""
    assert seal_of(0xFEED, 2, b"rest") == 6_304_844_988_871_327_691


@pytest.mark.parametrize(
    "pieces",
    [
        [*sealed(PIECES)[:1], (sealed(PIECES)[1][0], b"secind"), sealed(PIECES)[2]],
        [sealed(PIECES)[1], sealed(PIECES)[0], sealed(PIECES)[2]],
        sealed(PIECES, token=0xFEEE),
        sealed(PIECES)[:2],
        [],
    ],
    ids=["changed", "in another order", "of another file", "the last is missing", "none"],
)
def test_what_is_not_what_was_copied_is_noticed(pieces: list[tuple[int, bytes]]) -> None:
    with pytest.raises(DamagedCopyError):
        list(unsealed(COPIED, pieces))


@pytest.mark.parametrize(("size", "count"), [(1, 1), (PIECE_BYTES, 1), (PIECE_BYTES + 1, 2)])
def test_in_how_many_pieces(size: int, count: int) -> None:
    assert pieces_for(size) == count
