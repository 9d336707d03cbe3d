"""The Merkle tree of RFC 6962: the published vectors, and every proof of every size up to 300."""

from __future__ import annotations

import hashlib
import random

import pytest

from rfctl.record.tree import (
    EMPTY_ROOT,
    Leaves,
    Tree,
    consistency_proof,
    consistent,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)

# The eight leaves of the certificate-transparency reference tests, and their roots by size.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
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


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2, "big")) for number in range(count)]


def recursive_root(leaves: list[bytes]) -> bytes:
    """The definition of section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


def test_the_published_roots() -> None:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in LEAVES]
    assert [root_of(leaves[: size + 1]).hex() for size in range(8)] == ROOTS
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_published_proofs() -> None:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in LEAVES]
    assert [node.hex() for node in inclusion_proof(leaves, 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [node.hex() for node in consistency_proof(leaves, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_size_up_to_300_has_the_root_of_the_definition_and_goes_on_from_its_subtrees() -> None:
    tree = Tree()
    leaves = hashes(300)
    for size, leaf in enumerate(leaves):
        assert tree.root() == recursive_root(leaves[:size])
        assert Tree(size, tree.nodes).root() == tree.root()
        tree.append(leaf)
    assert tree.size == 300
    with pytest.raises(ValueError, match="300 leaves has 4"):
        Tree(300, tree.nodes[1:])


def test_every_proof_holds_and_every_changed_one_does_not() -> None:
    leaves = hashes(300)
    roots = [root_of(leaves[:size]) for size in range(301)]
    chance = random.Random(6962)
    sizes = [*range(1, 41), 63, 64, 65, 127, 128, 129, 255, 256, 257, 299, 300]
    proofs = 0
    for size in sizes:
        for index in range(size) if size <= 40 else chance.sample(range(size), 12):
            proof = inclusion_proof(leaves[:size], index)
            assert includes(roots[size], size, index, leaves[index], proof)
            assert not any(includes(roots[size], size, index, leaves[index], wrong) for wrong in changed(proof, chance))
            assert not includes(roots[size], size, index, leaf_hash(b"another"), proof)
            assert not includes(roots[size], size, size, leaves[index], proof)
            proofs += 1
        for older in range(size + 1) if size <= 40 else chance.sample(range(size), 12):
            proof = consistency_proof(leaves[:size], older)
            assert consistent(older, roots[older], size, roots[size], proof)
            if 0 < older < size:
                assert not any(
                    consistent(older, roots[older], size, roots[size], wrong) for wrong in changed(proof, chance)
                )
                assert not consistent(older, roots[older - 1], size, roots[size], proof)
                assert not consistent(older, roots[older], size, roots[size - 1], proof)
            proofs += 1
    assert proofs == 2 * sum(range(1, 41)) + 40 + 2 * 12 * (len(sizes) - 40)


def test_where_the_first_leaves_were_retired_every_proof_from_there_on_is_the_same() -> None:
    leaves = hashes(70)
    for gone in range(70):
        before = Tree()
        for leaf in leaves[:gone]:
            before.append(leaf)
        left = Leaves(leaves[gone:], before)
        assert len(left) == 70
        for newer in (69, 70):
            for older in range(gone, newer + 1):
                assert left.consistency_proof(older, newer) == consistency_proof(leaves[:newer], older)
    with pytest.raises(LookupError):
        left.consistency_proof(3, 70)


def changed(proof: list[bytes], chance: random.Random) -> list[list[bytes]]:
    """Each element with a bit flipped, each left out, one too many."""
    wrong = [[*proof, leaf_hash(b"one too many")]]
    for place, node in enumerate(proof):
        at = chance.randrange(32)
        flipped = node[:at] + bytes([node[at] ^ (1 << chance.randrange(8))]) + node[at + 1 :]
        wrong += [[*proof[:place], flipped, *proof[place + 1 :]], [*proof[:place], *proof[place + 1 :]]]
    return wrong
