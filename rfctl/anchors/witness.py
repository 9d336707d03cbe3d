"""A witness: cosigns a checkpoint only when it goes on from the last one that it cosigned (c2sp.org/tlog-witness).

It trusts the roots it was started with, and keys of epochs that they certified, directly or epoch by epoch. Of two
histories it cosigns one, whatever keys sign them; what contradicts is kept as evidence. Its own memory is the file of
what it has cosigned: a cosignature leaves only when its line is on disk.
"""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from rfctl.anchors.heads import HeadSeries
from rfctl.errors import ConfigError
from rfctl.record.certificate import Certificate
from rfctl.record.notes import BadNote as BadRecordNote
from rfctl.record.notes import VerifierKey
from rfctl_verify.merkle import consistency_holds
from rfctl_verify.note import BadNote, Checkpoint, canonical_base64, parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rfctl.anchors.cosignature import WitnessKey
    from rfctl_verify.note import Note

MOST_HASHES = 63
MOST_EVIDENCE = 1000
"""Contradictions that are kept for each log; one convinces."""
MOST_CERTIFICATES = 100_000
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,14})", re.ASCII)


class Reply(NamedTuple):
    """What a request is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


class _Refused(Exception):
    """A request is not carried out; the reply says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def _no(status: HTTPStatus, why: str) -> _Refused:
    return _Refused(Reply(status, f"{why}\n".encode()))


@dataclass(slots=True)
class _Log:
    """One log, as far as the witness knows it."""

    root: VerifierKey
    heads: HeadSeries
    certificates: HeadSeries
    evidence: HeadSeries
    evidence_kept: int = 0
    newest: Checkpoint | None = None
    newest_epoch: int = 0
    keys: dict[bytes, list[tuple[int, VerifierKey]]] = field(default_factory=dict)
    """By key ID: number of the epoch, and its key."""
    certified: int = 0

    def learn(self, certificate: Certificate) -> bool:
        """Take a key over that somebody trusted has certified; False when it was known."""
        key = VerifierKey(certificate.origin, certificate.key)
        known = self.keys.setdefault(key.key_id, [])
        if (certificate.epoch, key) in known:
            return False
        known.append((certificate.epoch, key))
        self.certified += 1
        return True

    def signers(self, note: Note) -> list[int]:
        """Numbers of the epochs whose key signed the note."""
        return [
            epoch
            for signature in note.signatures
            if signature.name == self.root.origin
            for epoch, key in self.keys.get(signature.key_id, ())
            if key.signed(note.text, signature.value)
        ]


class Witness:
    """Judges and remembers. Every method belongs to one thread."""

    def __init__(self, state: Path, key: WitnessKey, roots: Sequence[VerifierKey], now_s: Callable[[], int]) -> None:
        """Take up where the files in ``state`` end.

        Args:
            state: Folder of its own; no other process uses it.
            key: Cosigns.
            roots: Public keys of the logs that it watches.
            now_s: Seconds since 1970.

        Raises:
            ConfigError: A file cannot be used, or is not as the witness left it.
        """
        self._key = key
        self._now_s = now_s
        self._logs: dict[str, _Log] = {}
        with ExitStack() as files:
            for root in roots:
                self._logs[root.origin] = _take_up(state, root, files)
            self._files = files.pop_all()

    def close(self) -> None:
        """Let go of the files."""
        self._files.close()

    def answer(self, method: str, target: str, body: bytes) -> Reply:
        """One request: ``POST /add-checkpoint`` as C2SP has it, ``POST /add-certificate`` with the note of an epoch.

        Raises:
            ConfigError: The disk refused: the witness has to stop.
        """
        acts = {"/add-checkpoint": self._add_checkpoint, "/add-certificate": self._add_certificate}
        try:
            act = acts.get(target)
            if act is None:
                raise _no(HTTPStatus.NOT_FOUND, f"POST {' or '.join(acts)}")
            if method != "POST":
                raise _no(HTTPStatus.METHOD_NOT_ALLOWED, "POST it")
            return act(body)
        except _Refused as refused:
            return refused.reply
        except (BadNote, BadRecordNote, UnicodeDecodeError) as problem:
            return _no(HTTPStatus.BAD_REQUEST, str(problem)).reply

    def _add_checkpoint(self, body: bytes) -> Reply:
        head, blank, raw = body.partition(b"\n\n")
        lines = head.decode("ascii").split("\n")
        old = _OLD.fullmatch(lines[0])
        if not blank or old is None or len(lines) - 1 > MOST_HASHES:
            raise _no(
                HTTPStatus.BAD_REQUEST, f"a request is 'old N', at most {MOST_HASHES} hashes, an empty line, a note"
            )
        proof = [canonical_base64(line) for line in lines[1:]]
        note = parse_note(raw)
        checkpoint = parse_checkpoint(note.text)
        log = self._logs.get(checkpoint.origin)
        if log is None:
            raise _no(HTTPStatus.NOT_FOUND, f"no log {checkpoint.origin!r} is watched here")
        epochs = log.signers(note)
        if not epochs:
            raise _no(HTTPStatus.FORBIDDEN, "no key that the root certified signed it; add its certificate first")
        epoch = max(epochs)
        if int(old[1]) > checkpoint.size:
            raise _no(HTTPStatus.BAD_REQUEST, f"the old size {old[1]} is above the new one, {checkpoint.size}")
        self._require_continuation(log, checkpoint, epoch, int(old[1]), proof, raw)
        line = self._key.cosign(note.text, self._now_s())
        log.heads.append(note.text + b"\n" + _own_signatures(note, checkpoint.origin) + line)
        log.newest, log.newest_epoch = checkpoint, epoch
        return Reply(HTTPStatus.OK, line)

    def _require_continuation(
        self, log: _Log, checkpoint: Checkpoint, epoch: int, old: int, proof: list[bytes], raw: bytes
    ) -> None:
        """Let a signed checkpoint pass that goes on from the newest one that was cosigned."""
        newest = log.newest
        size = newest.size if newest is not None else 0
        known = Reply(HTTPStatus.CONFLICT, f"{size}\n".encode("ascii"), SIZE)
        if newest is not None and checkpoint.size == size and checkpoint.root != newest.root:
            self._keep_evidence(log, raw)  # two signed roots of one size
            raise _Refused(known)
        if old != size:
            raise _Refused(known)
        if epoch < log.newest_epoch:
            self._keep_evidence(log, raw)
            raise _no(
                HTTPStatus.FORBIDDEN, f"signed by epoch {epoch}, which ended: epoch {log.newest_epoch} has signed"
            )
        if newest is None:
            if proof:
                raise _no(HTTPStatus.UNPROCESSABLE_ENTITY, "the first checkpoint has no proof")
        elif not consistency_holds(size, newest.root, checkpoint.size, checkpoint.root, proof):
            self._keep_evidence(log, raw)
            raise _no(HTTPStatus.UNPROCESSABLE_ENTITY, f"no proof that it goes on from the {size} records seen")

    def _add_certificate(self, body: bytes) -> Reply:
        note = parse_note(body)
        certificate = Certificate.parse(note.text)
        log = self._logs.get(certificate.origin)
        if log is None:
            raise _no(HTTPStatus.NOT_FOUND, f"no log {certificate.origin!r} is watched here")
        if not _certified(log, certificate, note):
            raise _no(HTTPStatus.FORBIDDEN, "neither the root nor a key of the epoch before signed it")
        if log.certified >= MOST_CERTIFICATES:
            raise _no(HTTPStatus.INSUFFICIENT_STORAGE, f"{MOST_CERTIFICATES} keys are known, the most there can be")
        if log.learn(certificate):
            log.certificates.append(body)
        return Reply(HTTPStatus.OK, f"epoch {certificate.epoch}\n".encode("ascii"))

    def _keep_evidence(self, log: _Log, raw: bytes) -> None:
        if log.evidence_kept < MOST_EVIDENCE and raw != log.evidence.last:
            log.evidence.append(raw)
            log.evidence_kept += 1


def _certified(log: _Log, certificate: Certificate, note: Note) -> bool:
    """The root signed it, or a known key of the epoch before."""
    root = log.root
    for signature in note.signatures:
        if signature.name != root.origin:
            continue
        if signature.key_id == root.key_id and root.signed(note.text, signature.value):
            return True
        for epoch, key in log.keys.get(signature.key_id, ()):
            if epoch == certificate.epoch - 1 and key.signed(note.text, signature.value):
                return True
    return False


def _own_signatures(note: Note, origin: str) -> bytes:
    """The signature lines of the log itself; others are none of the witness's business."""
    return b"".join(
        f"\u2014 {each.name} {b64encode(each.key_id + each.value).decode('ascii')}\n".encode()
        for each in note.signatures
        if each.name == origin
    )


def _take_up(state: Path, root: VerifierKey, files: ExitStack) -> _Log:
    """The log as the files in a folder have it; they are closed by ``files``."""
    folders = [state / name for name in ("heads", "certificates", "evidence")]
    try:
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"cannot be made: {problem.strerror}", where=str(state), remedy="Check the folder.") from None
    heads, certificates, evidence = (
        files.enter_context(closing(HeadSeries(folder, root.origin))) for folder in folders
    )
    log = _Log(root, heads, certificates, evidence)
    log.evidence_kept = sum(1 for _ in log.evidence.notes())
    try:
        for raw in log.certificates.notes():
            note = parse_note(raw)
            certificate = Certificate.parse(note.text)
            if not _certified(log, certificate, note):
                raise BadNote("a certificate that nobody trusted signed")
            log.learn(certificate)
        if log.heads.last:
            note = parse_note(log.heads.last)
            log.newest = parse_checkpoint(note.text)
            log.newest_epoch = max(log.signers(note))
    except (BadNote, BadRecordNote, ValueError) as problem:
        raise ConfigError(
            f"is not as the witness left it: {problem}",
            where=str(state),
            remedy=f"Restore the folder. A witness that forgot what it cosigned of {root.origin} is none.",
        ) from None
    return log
