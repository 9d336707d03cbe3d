"""The Merkle tree of RFC 6962 over a log's records: grown leaf by leaf in little memory, with its proofs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of 0x00 and the bytes."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node: SHA-256 of 0x01 and both halves."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows: as many hashes as its size has bits set, those of its perfect subtrees, largest first.

    Attributes:
        size: Number of leaves.
        nodes: Roots of the perfect subtrees, largest first.
    """

    size: int
    nodes: list[bytes]

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Go on from a size and its subtrees.

        Raises:
            ValueError: Not as many subtrees as the size has.
        """
        self.size = size
        self.nodes = list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} perfect subtrees, not {len(self.nodes)}")

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        size = self.size
        nodes = self.nodes
        while size & 1:
            leaf = node_hash(nodes.pop(), leaf)
            size >>= 1
        nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, as RFC 6962 section 2.1 defines it."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves) of RFC 6962 section 2.1.1."""
    if len(leaves) <= 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root_of(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root_of(leaves[:split])]


def consistency_proof(leaves: Sequence[bytes], older: int) -> list[bytes]:
    """PROOF(older, leaves) of RFC 6962 section 2.1.2: that a tree of ``older`` leaves is the beginning of this one."""
    if older == 0:
        return []
    return _subproof(older, leaves, complete=True)


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree with this root and size has this leaf hash at this index."""
    if not 0 <= index < size:
        return False
    position, last, computed = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(node, computed)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, node)
        position >>= 1
        last >>= 1
    return last == 0 and computed == root


def consistent(older: int, older_root: bytes, newer: int, newer_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of ``older`` leaves is the beginning of the one of ``newer``."""
    if not 0 <= older <= newer:
        return False
    if older == newer:
        return not proof and older_root == newer_root
    if older == 0:
        return not proof and older_root == EMPTY_ROOT
    path = list(proof)
    if older & (older - 1) == 0:
        path.insert(0, older_root)
    if not path:
        return False
    position, last = older - 1, newer - 1
    while position & 1:
        position >>= 1
        last >>= 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first = node_hash(node, first)
            second = node_hash(node, second)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            second = node_hash(second, node)
        position >>= 1
        last >>= 1
    return last == 0 and first == older_root and second == newer_root


def _subproof(older: int, leaves: Sequence[bytes], *, complete: bool) -> list[bytes]:
    if older == len(leaves):
        return [] if complete else [root_of(leaves)]
    split = _split(len(leaves))
    if older <= split:
        return [*_subproof(older, leaves[:split], complete=complete), root_of(leaves[split:])]
    return [*_subproof(older - split, leaves[split:], complete=False), root_of(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
