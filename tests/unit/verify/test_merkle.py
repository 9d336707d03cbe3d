"""Roots and proofs are those of RFC 6962, at every size, and a proof with one wrong element is refused."""

from __future__ import annotations

import hashlib
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from rfctl_verify.merkle import EMPTY_ROOT, Tree, consistency_holds, inclusion_holds, leaf_hash

# Leaves and roots of the reference tests of Certificate Transparency (merkletree, Apache-2.0).
LEAVES = [bytes.fromhex(each) for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
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
SIZES = 300
HASHES = tuple(leaf_hash(b"%d" % index) for index in range(SIZES))

OTHER = bytes(32)


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


@cache
def root(begin: int, end: int) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if end - begin == 1:
        return HASHES[begin]
    middle = begin + split(end - begin)
    return node(root(begin, middle), root(middle, end))


def path(index: int, begin: int, end: int) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if end - begin == 1:
        return []
    middle = begin + split(end - begin)
    if index < middle:
        return [*path(index, begin, middle), root(middle, end)]
    return [*path(index, middle, end), root(begin, middle)]


def proof(old: int, begin: int, end: int, *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2; ``old`` leaves of those from ``begin``."""
    if old == end - begin:
        return [] if whole else [root(begin, end)]
    middle = split(end - begin)
    if old <= middle:
        return [*proof(old, begin, begin + middle, whole=whole), root(begin + middle, end)]
    return [*proof(old - middle, begin + middle, end, whole=False), root(begin, begin + middle)]


def test_the_roots_are_those_of_the_reference_tests() -> None:
    tree = Tree()
    assert tree.root() == EMPTY_ROOT == hashlib.sha256().digest()
    for leaf, wanted in zip(LEAVES, ROOTS, strict=True):
        tree.append(leaf_hash(leaf))
        assert tree.root().hex() == wanted


def test_the_root_of_every_size_is_the_definitions() -> None:
    tree = Tree()
    for size in range(1, SIZES + 1):
        tree.append(HASHES[size - 1])
        assert (tree.size, tree.root()) == (size, root(0, size))


def test_every_pair_of_sizes_is_consistent_and_with_another_root_is_not() -> None:
    for size in range(1, SIZES + 1):
        for old in range(1, size + 1):
            steps = proof(old, 0, size)
            assert consistency_holds(old, root(0, old), size, root(0, size), steps), (old, size)
            assert not consistency_holds(old, root(0, old), size, OTHER, steps)
            if steps:
                assert not consistency_holds(old, OTHER, size, root(0, size), steps)


def test_every_leaf_is_included_where_it_is_and_nowhere_else() -> None:
    for size in [*range(1, 40), 64, 65, 127, 128, 200, SIZES]:
        for index in range(size):
            steps = path(index, 0, size)
            assert inclusion_holds(HASHES[index], index, size, steps, root(0, size)), (index, size)
            if size > 1:
                assert not inclusion_holds(HASHES[index], (index + 1) % size, size, steps, root(0, size))


@given(st.integers(2, SIZES), st.data())
def test_a_proof_with_any_element_changed_removed_or_added_is_refused(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    index = data.draw(st.integers(0, size - 1))
    for steps, holds in (
        (proof(old, 0, size), lambda given: consistency_holds(old, root(0, old), size, root(0, size), given)),
        (path(index, 0, size), lambda given: inclusion_holds(HASHES[index], index, size, given, root(0, size))),
    ):
        assert holds(steps)
        for place in range(len(steps)):
            wrong = bytes([steps[place][0] ^ 1]) + steps[place][1:]
            assert not holds([*steps[:place], wrong, *steps[place + 1 :]])
            assert not holds(steps[:place] + steps[place + 1 :])
            assert not holds([*steps[:place], b"", *steps[place + 1 :]])
        for place in range(len(steps) + 1):
            assert not holds([*steps[:place], HASHES[0], *steps[place:]])


def test_sizes_that_no_pair_of_trees_has_are_refused() -> None:
    assert not consistency_holds(3, root(0, 3), 2, root(0, 2), [])
    assert not consistency_holds(-1, EMPTY_ROOT, 2, root(0, 2), [])
    assert not consistency_holds(1, root(0, 1), 3, root(0, 3), [])
    assert consistency_holds(0, EMPTY_ROOT, 3, root(0, 3), [])
    assert not consistency_holds(0, HASHES[0], 3, root(0, 3), [])
    for index in (-1, 1):
        assert not inclusion_holds(HASHES[0], index, 1, [], HASHES[0])
