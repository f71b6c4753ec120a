"""Writes pymerkle.json: what pymerkle 7.0.0 makes of trees of many sizes.

pymerkle is GPL-3.0-or-later, so it is no dependency of any kind; its answers are held against here.
In an environment of its own that has it, run this file.

A path of pymerkle begins with the leaf itself, which RFC 9162 leaves out. Its consistency proofs
are laid out otherwise than RFC 9162 has them (an earlier tree that is a whole subtree is taken
apart), so of those only the roots that they lead to are held against.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SIZES = (*range(1, 34), 63, 64, 65, 100)


def entry(number: int) -> bytes:
    """The leaf at a place."""
    return f"leaf {number}".encode()


def digest(path: list[bytes]) -> str:
    """What stands for a path: half of a hash over it."""
    return hashlib.sha256(b"".join(path)).hexdigest()[:32]


def main() -> None:
    """Write them."""
    from pymerkle import InmemoryTree  # type: ignore[import-not-found]

    tree = InmemoryTree(algorithm="sha256")
    for number in range(max(SIZES)):
        tree.append_entry(entry(number))
    roots, inclusion = {}, {}
    for size in SIZES:
        roots[size] = tree.get_root(size).hex()
        for place in range(size):
            path = tree.prove_inclusion(place + 1, size).path
            inclusion[f"{place}/{size}"] = digest(path[1:])
    found = {"roots": roots, "inclusion": inclusion}
    Path(__file__).with_name("pymerkle.json").write_text(json.dumps(found, indent=0) + "\n")


if __name__ == "__main__":
    main()
