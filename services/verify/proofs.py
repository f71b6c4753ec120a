"""PURE. Merkle proofs as RFC 9162 has them (its trees are those of RFC 6962), over SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes.

    By a stack of whole subtrees: two of one size are put together, and what is left at the end from
    right to left.
    """
    if not leaves:
        return hashlib.sha256(b"").digest()
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        stack.append((1, leaf))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            size, right = stack.pop()
            _, left = stack.pop()
            stack.append((2 * size, node_hash(left, right)))
    _, root = stack.pop()
    while stack:
        root = node_hash(stack.pop()[1], root)
    return root


def includes(leaf: bytes, place: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that a leaf is in a tree at a place (RFC 9162, 2.1.3.2)."""
    if not 0 <= place < size:
        return False
    first, last, found = place, size - 1, leaf
    for one in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            found = node_hash(one, found)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, one)
        first, last = first >> 1, last >> 1
    return last == 0 and found == root


def extends(
    first_size: int, first_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a path proves that a tree begins with all of an earlier one (RFC 9162, 2.1.4.2)."""
    if not 0 < first_size <= size:
        return False
    if first_size == size:
        return not path and first_root == root
    nodes = list(path)
    if not first_size & (first_size - 1):
        nodes.insert(0, first_root)
    if not nodes:
        return False
    first, last = first_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old = new = nodes[0]
    for one in nodes[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old, new = node_hash(one, old), node_hash(one, new)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, one)
        first, last = first >> 1, last >> 1
    return last == 0 and old == first_root and new == root
