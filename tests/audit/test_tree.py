"""The Merkle tree of RFC 6962: known roots and paths, and what proofs must and must not prove."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.tree import inclusion_proof, is_included, leaf_hash, node_hash, root

# The reference tests of Certificate Transparency (merkletree/testdata): eight inputs, the roots of the first n.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [leaf_hash(one) for one in INPUTS]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf, size, path) of the same reference tests; leaves count from 0.
PATHS = [
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        3,
        ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    ),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_paths_are_those_of_the_reference(index: int, size: int, path: list[str]) -> None:
    assert [node.hex() for node in inclusion_proof(LEAVES[:size], index)] == path


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_a_reference_path_is_accepted(index: int, size: int, path: list[str]) -> None:
    assert is_included(
        leaf=LEAVES[index],
        index=index,
        size=size,
        path=[bytes.fromhex(node) for node in path],
        expected_root=bytes.fromhex(ROOTS[size - 1]),
    )


def test_a_node_cannot_pass_for_a_leaf() -> None:
    assert node_hash(LEAVES[0], LEAVES[1]) != leaf_hash(LEAVES[0] + LEAVES[1])


@pytest.mark.parametrize("index", [-1, 8, 100])
def test_there_is_no_path_outside_the_tree(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(LEAVES, index)
    assert not is_included(leaf=LEAVES[0], index=index, size=8, path=[], expected_root=root(LEAVES))


trees = st.lists(st.binary(max_size=4), min_size=1, max_size=70).map(lambda inputs: [leaf_hash(one) for one in inputs])


@given(trees, st.data())
def test_every_leaf_is_proven_to_be_in_its_tree(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_proof(leaves, index)
    assert len(path) <= (len(leaves) - 1).bit_length()
    assert is_included(leaf=leaves[index], index=index, size=len(leaves), path=path, expected_root=root(leaves))


@given(trees, st.data())
def test_another_leaf_is_proven_by_no_path_of_this_one(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    forged = leaf_hash(b"forged" + leaves[index])
    path = inclusion_proof(leaves, index)
    assert not is_included(leaf=forged, index=index, size=len(leaves), path=path, expected_root=root(leaves))


@given(trees, st.data())
def test_a_path_bent_anywhere_proves_nothing(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_proof(leaves, index)
    told = {"leaf": leaves[index], "index": index, "size": len(leaves), "expected_root": root(leaves)}
    for place in range(len(path)):
        bent = [*path[:place], bytes([path[place][0] ^ 1]) + path[place][1:], *path[place + 1 :]]
        assert not is_included(**told, path=bent)  # type: ignore[arg-type]  # a dict of mixed values
    assert not is_included(**told, path=[*path, path[-1] if path else leaves[0]])  # type: ignore[arg-type]
    assert not path or not is_included(**told, path=path[:-1])  # type: ignore[arg-type]


@given(trees, st.binary(max_size=4))
def test_a_tree_that_grew_has_another_root(leaves: list[bytes], added: bytes) -> None:
    assert root([*leaves, leaf_hash(added)]) != root(leaves)
