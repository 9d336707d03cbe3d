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
    return Leaves(leaves).consistency_proof(older, len(leaves))


class Leaves:
    """The leaf hashes of a log; of the first ones maybe no more than the roots of their perfect subtrees."""

    def __init__(self, leaves: Sequence[bytes], before: Tree | None = None) -> None:
        """``leaves`` come behind those of ``before``."""
        self._leaves = leaves
        self._before = 0 if before is None else before.size
        self._roots: dict[tuple[int, int], bytes] = {}
        begin = 0
        for node in [] if before is None else before.nodes:
            end = begin + (1 << ((self._before - begin).bit_length() - 1))
            self._roots[begin, end] = node
            begin = end

    def __len__(self) -> int:
        return self._before + len(self._leaves)

    def consistency_proof(self, older: int, newer: int) -> list[bytes]:
        """That the tree of the first ``older`` leaves is the beginning of that of the first ``newer``.

        Raises:
            LookupError: It takes hashes of leaves of which only roots are known.
        """
        return self._subproof(older, 0, newer, complete=True) if older else []

    def _subproof(self, older: int, begin: int, end: int, *, complete: bool) -> list[bytes]:
        size = end - begin
        if older == size:
            return [] if complete else [self._root(begin, end)]
        split = begin + _split(size)
        if begin + older <= split:
            return [*self._subproof(older, begin, split, complete=complete), self._root(split, end)]
        return [*self._subproof(begin + older - split, split, end, complete=False), self._root(begin, split)]

    def _root(self, begin: int, end: int) -> bytes:
        if begin >= self._before:
            return root_of(self._leaves[begin - self._before : end - self._before])
        known = self._roots.get((begin, end))
        if known is not None:
            return known
        if end - begin == 1:
            raise LookupError(f"leaf {begin} is not known")
        split = begin + _split(end - begin)
        return node_hash(self._root(begin, split), self._root(split, end))


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


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
