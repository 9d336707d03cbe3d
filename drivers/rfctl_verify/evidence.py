"""Evidence of a fork: two signed statements that contradict each other, in a text that needs no log to be believed."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

from rfctl_verify import forms
from rfctl_verify.certificate import parse_certificate
from rfctl_verify.files import opened
from rfctl_verify.frames import Frames
from rfctl_verify.merkle import Tree, consistency_holds, leaf_hash
from rfctl_verify.note import ED25519, BadNote, Checkpoint, canonical_base64, key_id, parse_checkpoint, parse_note
from rfctl_verify.public_key import holds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl_verify.certificate import Certificate
    from rfctl_verify.folder import Folder
    from rfctl_verify.public_key import Key

MAX_EVIDENCE_BYTES = 1 << 20
_LINE = re.compile(r"(certificate|head|checkpoint|root|node) ([A-Za-z0-9+/]{4,30000}={0,2})")


def of_two_heads(folder: Folder, key: Key, one: bytes, other: bytes) -> str:
    """Two signed notes of one size, with the certificates of this log's epochs that tell whose they are."""
    gathered = _Gathered(folder, key, one, other)
    checkpoint = parse_checkpoint(parse_note(other).text)
    return _text(gathered.certificates, one, other, checkpoint.root, [])


def of_log_and_head(folder: Folder, key: Key, head: bytes, root: bytes) -> str | None:
    """A signed head, and the log's first checkpoint that covers as many records, of which it has ``root``.

    Returns:
        The text; None where no checkpoint of the log covers them, so that only one side is signed.
    """
    size = parse_checkpoint(parse_note(head).text).size
    gathered = _Gathered(folder, key, head, None)
    if gathered.checkpoint is None:
        return None
    covered = parse_checkpoint(parse_note(gathered.checkpoint).text).size
    return _text(gathered.certificates, head, gathered.checkpoint, root, _proof(folder, size, covered))


class _Gathered:
    """What a second pass over a log that was verified finds.

    Attributes:
        certificates: Of the epochs that signed, led by those that certify them, as base64.
        checkpoint: The first note of at least the head's size; ``other`` where that is given.
    """

    def __init__(self, folder: Folder, key: Key, head: bytes, other: bytes | None) -> None:
        self.certificates: list[str] = []
        self.checkpoint = other
        size = parse_checkpoint(parse_note(head).text).size
        root_id = key_id(key.origin, ED25519, key.raw)
        wanted = {each.key_id for note in (head, other) if note for each in parse_note(note).signatures}
        chain: list[str] = []
        epoch_id = b""
        for number, kind, payload in _records(folder):
            if kind == b"epoch":
                certificate = parse_certificate(payload)
                epoch_id = key_id(key.origin, ED25519, certificate.key)
                chain = [payload] if certificate.signature.key_id == root_id else [*chain, payload]
                if epoch_id in wanted:
                    self._keep(chain)
            elif kind == b"checkpoint" and self.checkpoint is None and number >= size:
                self.checkpoint = canonical_base64(payload)
                self._keep(chain)

    def _keep(self, chain: list[str]) -> None:
        self.certificates += [each for each in chain if each not in self.certificates]


def _bodies(folder: Folder) -> Iterator[bytes]:
    for index in range(folder.first, folder.end):
        with opened(folder.segment(index), through_links=False) as file:
            yield from Frames(file).bodies()


def _records(folder: Folder) -> Iterator[tuple[int, bytes, str]]:
    """Number, kind and note of certificates and checkpoints."""
    begin = folder.retired.size if folder.retired else 0
    for number, body in enumerate(_bodies(folder), begin):
        fields = forms.BODY.fullmatch(body)
        if fields is not None and fields[8] in (b"epoch", b"checkpoint"):
            known = forms.PAYLOADS[fields[8]].fullmatch(fields[10])
            if known is not None:
                yield number, fields[8], known[1].decode("ascii")


def _proof(folder: Folder, old: int, size: int) -> list[bytes]:
    """The consistency proof of RFC 6962, 2.1.2, from the records themselves."""
    if old in (0, size):
        return []
    ranges = list(_ranges(old, 0, size, whole=True))
    begin = folder.retired.size if folder.retired else 0
    trees = {each: Tree() for each in ranges}
    inside = iter(sorted(ranges))
    now = next(inside)
    for number, body in enumerate(_bodies(folder), begin):
        if number == now[1]:
            following = next(inside, None)
            if following is None:
                break
            now = following
        if now[0] <= number < now[1]:
            trees[now].append(leaf_hash(body))
    return [trees[each].root() for each in ranges]


def _ranges(old: int, begin: int, end: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """SUBPROOF of RFC 6962: the leaves that each element of the proof stands for."""
    if old == end - begin:
        if not whole:
            yield begin, end
        return
    middle = 1 << (end - begin - 1).bit_length() - 1
    if old <= middle:
        yield from _ranges(old, begin, begin + middle, whole=whole)
        yield begin + middle, end
    else:
        yield from _ranges(old - middle, begin + middle, end, whole=False)
        yield begin, begin + middle


def _text(certificates: list[str], head: bytes, checkpoint: bytes, root: bytes, proof: list[bytes]) -> str:
    lines = [("certificate", each) for each in certificates]
    lines += [(name, b64encode(some).decode("ascii")) for name, some in (("head", head), ("checkpoint", checkpoint))]
    lines += [("root", b64encode(root).decode("ascii"))]
    lines += [("node", b64encode(each).decode("ascii")) for each in proof]
    return "".join(f"{name} {some}\n" for name, some in lines)


def proves_a_fork(text: str, key: Key) -> str:
    """What the evidence proves, to whoever trusts the root's public key.

    Raises:
        BadNote: It proves nothing; the message says why.
    """
    found: dict[str, list[str]] = {name: [] for name in ("certificate", "head", "checkpoint", "root", "node")}
    for line in text.splitlines():
        fields = _LINE.fullmatch(line)
        if fields is None:
            raise BadNote(f"{line[:40]!r} is no line of evidence")
        found[fields[1]].append(fields[2])
    if not len(found["head"]) == len(found["checkpoint"]) == len(found["root"]) == 1:
        raise BadNote("evidence has one head, one checkpoint and one root")
    keys = _certified([parse_certificate(each) for each in found["certificate"]], key)
    head, checkpoint = (_signed(canonical_base64(found[name][0]), keys, key) for name in ("head", "checkpoint"))
    root, proof = canonical_base64(found["root"][0]), [canonical_base64(each) for each in found["node"]]
    if root == head.root:
        raise BadNote("the two agree")
    if not consistency_holds(head.size, root, checkpoint.size, checkpoint.root, proof):
        raise BadNote("the proof does not show what the checkpoint says of the head's records")
    return (
        f"{key.origin} signed two histories: of its first {head.size} records the root is once {head.root.hex()} and"
        f" once {root.hex()}"
    )


def _certified(certificates: list[Certificate], root: Key) -> dict[bytes, bytes]:
    """Keys by key ID: each certified by the root, or by one before."""
    root_id = key_id(root.origin, ED25519, root.raw)
    keys: dict[bytes, bytes] = {}
    for each in certificates:
        signer = root.raw if each.signature.key_id == root_id else keys.get(each.signature.key_id)
        if signer is None or each.origin != root.origin or not holds(signer, each.signature.value, each.text):
            raise BadNote(f"nobody certified the key of epoch {each.epoch}")
        keys[key_id(root.origin, ED25519, each.key)] = each.key
    return keys


def _signed(raw: bytes, keys: dict[bytes, bytes], root: Key) -> Checkpoint:
    note = parse_note(raw)
    checkpoint = parse_checkpoint(note.text)
    for each in note.signatures:
        signer = keys.get(each.key_id) if each.name == root.origin else None
        if signer is not None and checkpoint.origin == root.origin and holds(signer, each.value, note.text):
            return checkpoint
    raise BadNote("a note is signed by none of the certified keys")
