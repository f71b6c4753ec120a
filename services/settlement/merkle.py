"""PURE. Merkle trees and their proofs, as RFC 9162 (2.1) makes them, over SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + content).digest()


class Tree:
    """Leaf hashes in their order; what was added before is never changed."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._leaves = list(leaves)
        #: Roots of stretches that were asked for: (first, end).
        self._known: dict[tuple[int, int], bytes] = {}

    def __len__(self) -> int:
        return len(self._leaves)

    def add(self, leaf: bytes) -> int:
        """Add a leaf hash; gives its place."""
        self._leaves.append(leaf)
        return len(self._leaves) - 1

    def root(self, size: int | None = None) -> bytes:
        """The root over the first so many leaves, or all."""
        end = len(self._leaves) if size is None else size
        return self._over(0, end) if end else hashlib.sha256(b"").digest()

    def path(self, place: int) -> list[bytes]:
        """The inclusion proof of a leaf, in the tree of all leaves."""
        path: list[bytes] = []
        first, end = 0, len(self._leaves)
        while end - first > 1:
            middle = first + _split(end - first)
            if place < middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(first, middle))
                first = middle
        return path[::-1]

    def consistency(self, size: int) -> list[bytes]:
        """The proof that the tree of all leaves begins with that of the first ``size``, above 0."""
        path: list[bytes] = []
        first, end, whole = 0, len(self._leaves), True
        old = size
        while old != end:
            middle = first + _split(end - first)
            if old <= middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(first, middle))
                first, whole = middle, False
        if not whole:
            path.append(self._over(first, end))
        return path[::-1]

    def _over(self, first: int, end: int) -> bytes:
        if end - first == 1:
            return self._leaves[first]
        found = self._known.get((first, end))
        if found is None:
            middle = first + _split(end - first)
            nodes = self._over(first, middle) + self._over(middle, end)
            found = self._known[first, end] = hashlib.sha256(b"\x01" + nodes).digest()
        return found


def _split(width: int) -> int:
    """The greatest power of two below a width of 2 or more."""
    return 1 << (width - 1).bit_length() - 1
