"""Trees and proofs: those of RFC 6962's log, of pymerkle, and proven by the verifier's own code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from services.settlement.merkle import Tree, leaf_hash
from services.verify.proofs import extends, includes, root_of
from tests.unit.services.settlement.golden.make_pymerkle_vectors import SIZES, digest, entry

GOLDEN: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden/pymerkle.json").read_text()
)
#: Test data of Certificate Transparency's reference implementation, and its roots.
CT_LEAVES: Final = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
CT_LEAVES_8: Final = (*CT_LEAVES, "606162636465666768696a6b6c6d6e6f")
CT_ROOTS: Final = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


#: Consistency proofs of that log: between which sizes, and the path.
CT_CONSISTENCY: Final = {
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


@pytest.mark.parametrize("sizes", CT_CONSISTENCY)
def test_consistency_is_that_of_certificate_transparency(sizes: tuple[int, int]) -> None:
    earlier, size = sizes
    tree = Tree(leaf_hash(bytes.fromhex(leaf)) for leaf in CT_LEAVES_8[:size])
    assert tuple(one.hex() for one in tree.consistency(earlier)) == CT_CONSISTENCY[sizes]


def tree_of(size: int) -> Tree:
    return Tree(leaf_hash(entry(number)) for number in range(size))


def test_roots_are_those_of_certificate_transparency() -> None:
    tree = Tree()
    assert tree.root() == hashlib.sha256(b"").digest()
    for leaf, root in zip(CT_LEAVES_8, CT_ROOTS, strict=True):
        tree.add(leaf_hash(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_proofs_are_those_of_pymerkle(size: int) -> None:
    tree = tree_of(size)
    assert tree.root().hex() == GOLDEN["roots"][str(size)]
    for place in range(size):
        assert digest(tree.path(place)) == GOLDEN["inclusion"][f"{place}/{size}"], place
    for earlier in (one for one in SIZES if one < size):
        roots = [bytes.fromhex(GOLDEN["roots"][str(one)]) for one in (earlier, size)]
        assert extends(earlier, roots[0], size, roots[1], tree.consistency(earlier)), earlier


@pytest.mark.parametrize("size", [*range(1, 40), 64, 65, 127, 300])
def test_the_verifier_takes_each_proof_and_no_other(size: int) -> None:
    tree = tree_of(size)
    leaves = [leaf_hash(entry(number)) for number in range(size)]
    root = tree.root()
    assert root_of(leaves) == root
    for place in range(size):
        path = tree.path(place)
        assert includes(leaves[place], place, size, path, root)
        other = (place + 1) % size
        assert size == 1 or not includes(leaves[place], other, size, path, root)
        assert size == 1 or not includes(leaves[other], place, size, path, root)
        assert not includes(leaves[place], place, size, [*path, root], root)
        assert not path or not includes(leaves[place], place, size, path[:-1], root)
        assert not includes(leaves[place], size, size, path, root)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 32, 33, 100])
def test_the_verifier_takes_each_consistency_and_no_other(size: int) -> None:
    tree = tree_of(size)
    root = tree.root()
    for earlier in range(1, size + 1):
        old, path = tree.root(earlier), tree.consistency(earlier)
        assert extends(earlier, old, size, root, path)
        assert not extends(earlier, leaf_hash(b"other"), size, root, path)
        assert not extends(earlier, old, size, leaf_hash(b"other"), path)
        assert not extends(earlier, old, size, root, [*path, root])
        assert not path or not extends(earlier, old, size, root, path[:-1])
        assert earlier == 1 or not extends(earlier - 1, old, size, root, path)
    assert not extends(0, hashlib.sha256(b"").digest(), size, root, [])
    assert not extends(size + 1, root, size, root, [])


def test_two_logs_that_were_forked_have_no_proof_between_them() -> None:
    honest, forked = (
        tree_of(20),
        Tree([*(leaf_hash(entry(n)) for n in range(6)), *[b"x" * 32] * 14]),
    )
    for path in (forked.consistency(9), honest.consistency(9)):
        assert not extends(9, honest.root(9), 20, forked.root(), path)
