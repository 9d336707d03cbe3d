"""Verifies a log in format 1: one pass over segments, records and chunks that believes nothing stored."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rfctl_verify import forms
from rfctl_verify.certificate import Certificate, one_signature_note, parse_certificate
from rfctl_verify.chunks import Chunks
from rfctl_verify.clocks import Clocks, Step
from rfctl_verify.files import opened
from rfctl_verify.folder import length_and_hash
from rfctl_verify.frames import Frames
from rfctl_verify.merkle import Tree
from rfctl_verify.note import ED25519, BadNote, canonical_base64, in_base64, key_id, parse_checkpoint
from rfctl_verify.problem import Problem, corrupt, key_invalid, modified
from rfctl_verify.public_key import holds
from rfctl_verify.signatures import Signatures
from rfctl_verify.strict_json import NotStrictJson

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from rfctl_verify.folder import Folder
    from rfctl_verify.public_key import Key

_MAX_CHUNK_BYTES = 16 << 20
_GENESIS = b"0" * 64
_ANYWHERE = None
_NOTHING = b"-"
"""What may come behind a closed segment."""
_SIGNED_BYTES, _SIGNED_CHARACTERS = 68, 92
"""Key ID and signature, and as many in base64."""
_ONLY_IN_PLACE = frozenset({b"segment", b"epoch", b"recovered"})


class Walk:
    """One pass over a log.

    Attributes:
        records: Good records so far.
        tree: Their leaves.
        clocks: What was odd about time.
        keys: Public keys of the epochs, by key ID.
        remarks: What has no effect on the verdict and a person should know.
        torn: The last segment ends in what a crash leaves.
        closed: The last segment was closed.
        closing: The last segment was about to be closed.
        sealed: The last segment has a checkpoint.
        covered: Records that the last checkpoint covers, itself included.
    """

    def __init__(self, folder: Folder, key: Key, watch: Callable[[Tree], int]) -> None:
        """Walk through ``folder``; ``watch`` looks at the tree when it has the size that it asked for before."""
        retired = folder.retired
        self.records = retired.size if retired else 0
        self.tree = Tree(retired.size, retired.peaks) if retired else Tree()
        self.clocks = Clocks()
        self.keys: dict[bytes, list[bytes]] = {}
        self.remarks: list[str] = []
        self.torn = self.closed = self.closing = self.sealed = False
        self.covered = self._start = self.records
        self._folder = folder
        self._key = key
        self._origin = key.origin.encode("utf-8")
        self._root_id = key_id(key.origin, ED25519, key.raw)
        self._signatures = Signatures()
        self._watch = watch
        self._prev = retired.last_leaf if retired else _GENESIS
        self._epoch = b"%d" % (retired.epoch if retired else 0)
        self._wanted: bytes | None = b"segment"
        self._index = folder.first
        self._segment_seq = self.records
        self._must_recover = False
        self._epoch_key = b""
        self._epoch_id = b""
        self._last_note = retired.last_checkpoint if retired else b""
        self._chained: dict[bytes, int] = {}
        self._first_epoch = (retired.epoch if retired else 0) + 1
        self._pending: tuple[bytes, int] | None = None
        self._boundaries = bytearray()
        self._retired_at: int | None = None
        self._chunks = Chunks(None)
        self._kinds: dict[bytes, Callable[[bytes, re.Match[bytes], re.Match[bytes]], None]] = {
            b"segment": self._segment_record,
            b"epoch": self._epoch_record,
            b"recovered": self._recovered,
            b"chunk": self._chunk_record,
            b"checkpoint": self._checkpoint,
            b"segment_close": self._segment_close,
            b"countersigned": self._countersigned,
            b"retired": self._retired,
        }

    def to_the_end(self) -> None:
        """Walk through all segments.

        Raises:
            Problem: What was found wrong first.
        """
        try:
            self._watch(self.tree)
            for index in range(self._folder.first, self._folder.end):
                self._index = index
                self._segment(index)
            self._loose_ends()
        except Problem as problem:
            raise self._signatures.problem() or problem from None
        bad = self._signatures.problem()
        if bad is not None:
            raise bad

    def _segment(self, index: int) -> None:
        last = index + 1 == self._folder.end
        if not self.closed and index > self._folder.first:
            self._must_recover = True
        self._wanted, self._segment_seq = b"segment", self.records
        self.closed = self.closing = self.sealed = False
        with ExitStack() as files:
            file = files.enter_context(opened(self._folder.segment(index), through_links=False))
            chunk = None
            if index in self._folder.chunks:
                chunk = files.enter_context(opened(self._folder.chunk(index), through_links=False))
            self._chunks = Chunks(chunk)
            frames = Frames(file)
            self._records(frames)
            self._end_of_segment(index, frames, last=last)

    def _records(self, frames: Frames) -> None:
        bodies = frames.bodies()
        match, check, payloads, kinds = forms.BODY.fullmatch, forms.check_payload, forms.PAYLOADS, self._kinds
        append, sha256, clock = self.tree.append, hashlib.sha256, self.clocks.note
        stop = self._watch(self.tree)
        for body in bodies:
            n = self.records
            fields = match(body)
            if fields is None:
                raise modified(n, f"record {n} has not the form of a record")
            seq, epoch, boot, mono, boottime, wall, state, kind, actor, payload, prev = fields.groups()
            if len(actor) > forms.MAX_ACTOR:
                raise modified(n, f"record {n} has an actor of {len(actor)} characters")
            if int(seq) != n:
                raise modified(n, f"record {n} says that it is number {seq.decode()}")
            leaf = sha256(b"\0" + body).digest()
            if prev != self._prev:
                raise self._blame(n, leaf, bodies)
            wanted = self._wanted
            if wanted is _ANYWHERE:
                if kind in _ONLY_IN_PLACE or epoch != self._epoch:
                    raise modified(n, f"record {n} of kind {kind.decode()} and epoch {epoch.decode()} is out of place")
            elif kind != wanted or (epoch != self._epoch and kind != b"segment"):
                raise modified(n, f"record {n} is of kind {kind.decode()}, {_words(wanted)} had to come")
            form = payloads.get(kind)
            try:
                if form is None:
                    check(payload)
                else:
                    known = form.fullmatch(payload)
                    if known is None:
                        raise modified(n, f"the payload of record {n} has not the form of a {kind.decode()}")
                    handle = kinds.get(kind)
                    if handle is not None:
                        handle(body, fields, known)
            except (NotStrictJson, BadNote) as problem:
                raise modified(n, f"record {n}: {problem}") from None
            step = Step.TOLD if kind == b"clock" else Step.SESSION if self._wanted == b"epoch" else Step.NONE
            clock(n, boot, int(mono), int(boottime), wall, state, step)
            append(leaf)
            self._prev = leaf.hex().encode()
            self.records = n + 1
            if n + 1 == stop:
                stop = self._watch(self.tree)

    def _blame(self, n: int, leaf: bytes, bodies: Iterator[bytes]) -> Problem:
        """Which record is to blame when record ``n`` does not carry the hash of the one before it."""
        if self.records > self._start:
            after = next(bodies, None) or self._first_of_next_segment()
            carried = forms.PREV_AT_END.fullmatch(after, max(len(after) - 75, 0)) if after else None
            if after is None or (carried is not None and carried[1] == leaf.hex().encode()):
                return modified(n - 1, f"record {n - 1} is not the one that record {n} was chained to")
        return modified(n, f"record {n} does not carry the hash of the record before it")

    def _first_of_next_segment(self) -> bytes | None:
        if self._index + 1 == self._folder.end:
            return None
        with opened(self._folder.segment(self._index + 1), through_links=False) as file:
            return next(Frames(file).bodies(), None)

    def _end_of_segment(self, index: int, frames: Frames, *, last: bool) -> None:
        live = last and not self.closed
        if frames.bad:
            if not (live and frames.torn):
                raise corrupt(self.records, f"segment {index:08}, behind record {self.records - 1}: {frames.bad}")
            self.torn = True
        if self.records == self._segment_seq and not last:
            raise modified(None, f"segment {index:08} holds no record")
        if not self._chunks.at_end():
            if not live:
                raise modified(None, f"bytes follow the last chunk of segment {index:08}")
            self.torn = True
        if not (self.closed or self.sealed or last):
            self.remarks.append(f"segment {index:08} has no checkpoint of its own")
        if self._torn_files(index):
            if self.closed:
                raise modified(None, f"segment {index:08} was closed, and yet something was cut off it")
            self.torn = self.torn or last

    def _torn_files(self, index: int) -> list[str]:
        names = (f"{index:08}.seg.torn", f"{index:08}.chunk.torn")
        return [name for name in names if name in self._folder.torn]

    def _loose_ends(self) -> None:
        if self._pending is not None:
            raise key_invalid(
                self._pending[1], "the first epoch here was chained to a retired one and never countersigned"
            )
        retired = self._folder.retired
        if retired is not None and (self._retired_at is None or self._retired_at >= self.covered):
            raise modified(None, f"no checkpoint covers that {retired.segments} segments were retired")
        chained = sum(1 for countersigned in self._chained.values() if not countersigned)
        if chained:
            self.remarks.append(f"{chained} epochs are certified only by the epoch before them, not by the root")

    def _segment_record(self, _: bytes, record: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n, (origin, index, size, root, about) = self.records, payload.groups()
        forms.check_payload(about, forms.MAX_DEPTH - 1)
        if origin.decode("ascii") != self._key.origin:
            raise key_invalid(n, f"this is a log of {origin.decode()!r}, the key is for {self._key.origin!r}")
        if (int(index), int(size), bytes.fromhex(root.decode())) != (self._index, n, self.tree.root()):
            raise modified(n, f"segment {self._index:08} states another place, size or root than it has")
        before, epoch = int(self._epoch), int(record[2])
        if epoch not in (
            (before + 1,) if before == 0 or self._must_recover or n == self._start else (before, before + 1)
        ):
            raise modified(n, f"segment {self._index:08} is of epoch {epoch}, behind epoch {before}")
        self._boundaries += n.to_bytes(8) + self.tree.root()
        self._epoch = record[2]
        self._wanted = b"epoch" if epoch > before else _ANYWHERE

    def _epoch_record(self, _: bytes, record: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n = self.records
        bad = self._signatures.problem()
        if bad is not None:
            raise bad
        certificate = parse_certificate(payload[1].decode("ascii"))
        self._require_origin(n, certificate.origin, certificate.signature.name)
        if certificate.epoch != int(self._epoch):
            raise key_invalid(n, f"the certificate is for epoch {certificate.epoch}")
        if certificate.start not in (None, self._segment_seq):
            raise key_invalid(n, f"the certificate is for an epoch that starts at record {certificate.start}")
        if certificate.prev not in (None, self._last_note):
            raise key_invalid(n, "the certificate names another checkpoint as the last one before its epoch")
        self._require_signer(n, certificate)
        self.clocks.note_validity(n, record[6], certificate.not_before_s, certificate.not_after_s)
        self._epoch_key = certificate.key
        self._epoch_id = key_id(self._key.origin, ED25519, certificate.key)
        self.keys.setdefault(self._epoch_id, []).append(certificate.key)
        self._wanted = b"recovered" if self._must_recover else _ANYWHERE
        self._must_recover = False

    def _require_signer(self, n: int, certificate: Certificate) -> None:
        signer, bound = certificate.signature, certificate.start is not None and certificate.prev is not None
        if signer.key_id == self._root_id:
            if not holds(self._key.raw, signer.value, certificate.text):
                raise key_invalid(n, "the root's signature on the certificate does not hold")
            return
        text_hash = hashlib.sha256(certificate.text).digest()
        if not bound:
            raise key_invalid(n, "a certificate that the root did not sign must name its place")
        if self._epoch_key:
            if signer.key_id != self._epoch_id or not holds(self._epoch_key, signer.value, certificate.text):
                raise key_invalid(n, "neither the root nor the epoch before signed the certificate")
        elif self._folder.retired is not None:
            self._pending = (text_hash, n)
        else:
            raise key_invalid(n, "the root did not sign the certificate of the first epoch")
        self._chained[text_hash] = False

    def _recovered(self, _: bytes, __: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n, before = self.records, self._index - 1
        if int(payload[1]) != before:
            raise modified(n, f"record {n} tells of the recovery of another segment than {before:08}")
        for name, stated in zip(("seg", "chunk"), (payload.group(2, 3), payload.group(4, 5)), strict=True):
            file = f"{before:08}.{name}.torn"
            if file in self._folder.torn:
                length, digest = length_and_hash(self._folder.path / file)
                if (length, digest) != (int(stated[0]), stated[1]):
                    raise modified(n, f"{file} is not what record {n} says was cut off")
        self.remarks.append(f"the session before record {n} ended uncleanly and was recovered")
        self._wanted = _ANYWHERE

    def _chunk_record(self, _: bytes, __: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n, offset, length = self.records, int(payload[1]), int(payload[2])
        if offset != self._chunks.offset or not 0 < length <= _MAX_CHUNK_BYTES:
            raise modified(n, f"record {n} names other bytes of the chunk file than come next")
        found = self._chunks.next_hash(length)
        if found is None:
            raise modified(n, f"bytes of the chunk of record {n} are missing")
        if found.encode() != payload[4]:
            raise modified(n, f"the chunk of record {n} was changed")

    def _checkpoint(self, body: bytes, record: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n, encoded = self.records, payload[1].decode("ascii")
        covered = hashlib.sha256(body[: record.start(10) + payload.start(1)]).digest()
        raw = canonical_base64(encoded)
        # All of it but the signature is known. It is compared, and taken apart only where it is something else.
        text = b"%s\n%d\n%s\n%s\n" % (self._origin, n, in_base64(self.tree.root()), in_base64(covered))
        signature = self._signature_behind(text, raw)
        if signature is None:
            text, signature = self._read_checkpoint(encoded, covered)
        self._signatures.add(n, self._epoch_key, signature, text)
        self._last_note = hashlib.sha256(raw).digest()
        self.clocks.note_checkpoint(n, record[2], record[3], int(record[4]))
        self.sealed, self.covered = True, n + 1
        if self.closing:
            self.closed, self.closing, self._wanted = True, False, _NOTHING

    def _signature_behind(self, text: bytes, raw: bytes) -> bytes | None:
        """The signature of a note of this text, by the key of the epoch; None where it is another note."""
        begun = b"%s\n\xe2\x80\x94 %s " % (text, self._origin)
        if len(raw) != len(begun) + _SIGNED_CHARACTERS + 1 or not raw.startswith(begun) or raw[-1:] != b"\n":
            return None
        signed = canonical_base64(raw[len(begun) : -1].decode("ascii", "replace"))
        return signed[4:] if len(signed) == _SIGNED_BYTES and signed[:4] == self._epoch_id else None

    def _read_checkpoint(self, encoded: str, covered: bytes) -> tuple[bytes, bytes]:
        """Text and signature of a checkpoint, or what is wrong with it."""
        n = self.records
        _, note = one_signature_note(encoded)
        found, signer = parse_checkpoint(note.text), note.signatures[0]
        binding = canonical_base64("".join(found.extensions))
        if len(found.extensions) != 1 or len(binding) != 32:
            raise modified(n, f"the checkpoint in record {n} has not four lines")
        self._require_origin(n, found.origin, signer.name)
        if signer.key_id != self._epoch_id:
            raise key_invalid(n, f"the checkpoint in record {n} is signed by another key than that of its epoch")
        if (found.size, found.root) != (n, self.tree.root()):
            raise modified(n, f"the checkpoint in record {n} is of another tree")
        if binding != covered:
            raise modified(n, f"the checkpoint in record {n} was signed in another record")
        return note.text, signer.value

    def _require_origin(self, n: int, *names: str) -> None:
        for name in names:
            if name != self._key.origin:
                raise key_invalid(n, f"a note in record {n} is of {name!r}, the key is for {self._key.origin!r}")

    def _segment_close(self, _: bytes, __: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n = self.records
        if (int(payload[1]), bytes.fromhex(payload[2].decode())) != (n, self.tree.root()):
            raise modified(n, f"record {n} closes the segment with another size or root than it has")
        self.closing, self._wanted = True, b"checkpoint"

    def _countersigned(self, _: bytes, __: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n = self.records
        certificate = parse_certificate(payload[1].decode("ascii"))
        signer, text_hash = certificate.signature, hashlib.sha256(certificate.text).digest()
        self._require_origin(n, certificate.origin, signer.name)
        if signer.key_id != self._root_id or not holds(self._key.raw, signer.value, certificate.text):
            raise key_invalid(n, f"the root did not sign the certificate in record {n}")
        if certificate.epoch >= self._first_epoch:
            if text_hash not in self._chained:
                raise modified(n, f"record {n} countersigns a certificate that no epoch here has from the one before")
            self._chained[text_hash] = True
            if self._pending is not None and self._pending[0] == text_hash:
                self._pending = None

    def _retired(self, _: bytes, __: re.Match[bytes], payload: re.Match[bytes]) -> None:
        n, segments = self.records, int(payload[1])
        stated = int(payload[2]).to_bytes(8) + bytes.fromhex(payload[3].decode())
        if not 0 < segments <= self._index:
            raise modified(n, f"record {n} retires segments that are not there yet")
        first = self._folder.first
        if segments >= first and self._boundaries[40 * (segments - first) : 40 * (segments - first + 1)] != stated:
            raise modified(n, f"record {n} retires {segments} segments with another size or root than they have")
        if segments == first:
            self._retired_at = n


def _words(wanted: bytes) -> str:
    return "nothing" if wanted == _NOTHING else wanted.decode()
