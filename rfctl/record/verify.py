"""Verifies a record against one public key: recomputes every hash from the bytes as stored and believes none of them.

Needs no network, no service and bounded memory, and answers with a verdict whatever the file holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rfctl.record import layout
from rfctl.record.reader import Line, LineTooLong, read_lines
from rfctl.record.strict_json import NotStrictJson, check, overruns, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rfctl.record.keys import PublicKey


class Outcome(StrEnum):
    """What verification can say of a record in format 0."""

    VALID_UNANCHORED = "VALID-UNANCHORED"
    UNCLEAN_END = "UNCLEAN-END"
    MODIFIED = "MODIFIED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        verdict: VALID-UNANCHORED: sealed, and every byte is as signed. UNCLEAN-END: no seal, the chain is good as far
            as it goes, and no signature covers it. MODIFIED: anything else.
        records: Number of good lines before the seal, the end or the first bad line.
        first_bad_seq: Where the record was found modified, else None.
        detail: The reason, for a person.
        anchored_by: Who else has seen the head. Nobody in format 0.
    """

    verdict: Outcome
    records: int
    first_bad_seq: int | None
    detail: str
    anchored_by: str | None = None


class _Bad(Exception):
    """The line numbered ``seq`` is not what was written."""

    def __init__(self, seq: int, detail: str) -> None:
        self.seq = seq
        self.detail = detail
        super().__init__(detail)


def verify(path: Path, public_key: PublicKey) -> Verdict:
    """Verify the record at ``path`` as signed by the holder of ``public_key`` for the key's origin.

    Raises:
        ConfigError: The path is no readable regular file. Nothing that the file holds raises.
    """
    try:
        return _walk(_counted(read_lines(path)), public_key)
    except _Bad as bad:
        return Verdict(Outcome.MODIFIED, bad.seq, bad.seq, bad.detail)


def _counted(lines: Iterator[Line]) -> Iterator[tuple[int, Line]]:
    seq = 0
    try:
        for line in lines:
            yield seq, line
            seq += 1
    except LineTooLong as problem:
        raise _Bad(seq, problem.what) from None


def _walk(lines: Iterator[tuple[int, Line]], key: PublicKey) -> Verdict:
    head = layout.GENESIS
    records = 0
    last = b""
    for seq, line in lines:
        if not line.complete:
            _require_tear(seq, head, line.raw)
            return _unclean(seq, f"line {seq} is torn after {len(line.raw)} bytes")
        kind = _require_chained(seq, head, line.raw, lines, key)
        if kind == b"seal":
            _require_seal(seq, line.raw, key)
            _require_end(lines)
            return Verdict(Outcome.VALID_UNANCHORED, seq, None, f"sealed after {seq} records, signed by the given key")
        if seq == 0:
            _require_header(line.raw, kind, key)
        elif kind == b"open":
            raise _Bad(seq, "only the first line opens a record")
        head = hashlib.sha256(line.raw).hexdigest()
        records = seq + 1
        last = line.raw
    if layout.SEAL_MEMBERS.search(last, max(len(last) - 512, 0)):
        raise _Bad(records - 1, f"line {records - 1} ends as a seal does and is of another kind")
    return _unclean(records, f"the file ends after {records} records")


def _unclean(records: int, detail: str) -> Verdict:
    return Verdict(Outcome.UNCLEAN_END, records, None, f"{detail}, without a seal: no signature covers this record")


def _require_chained(seq: int, head: str, raw: bytes, following: Iterator[tuple[int, Line]], key: PublicKey) -> bytes:
    """The line's kind, if it is well formed and carries its number and the hash of the line before it."""
    opening = layout.LINE_OPENING.match(raw)
    if opening is None:
        raise _Bad(seq, f"line {seq} does not open as a line of a record does")
    if opening[1] != b"%d" % seq:
        raise _Bad(seq, f"line {seq} says that it is number {opening[1].decode()}: a line is missing, added or moved")
    if opening[2] != head.encode():
        raise _mismatch(seq, raw, opening[3], following, key)
    time = layout.TIME.match(raw, opening.end())
    if time is None:
        raise _Bad(seq, f"the time of line {seq} is no integer")
    try:
        check(raw[:-1])
    except NotStrictJson as problem:
        raise _Bad(seq, f"line {seq}: {problem}") from None
    return opening[3]


def _mismatch(seq: int, raw: bytes, kind: bytes, following: Iterator[tuple[int, Line]], key: PublicKey) -> _Bad:
    """Two neighbours disagree; which of them changed is told by what comes after.

    The later line is as written if its own hash is carried on, or if it is a seal whose signature holds.
    """
    changed_before = _Bad(max(seq - 1, 0), f"the bytes of line {seq - 1} are not those that line {seq} was chained to")
    changed_here = _Bad(seq, f"line {seq} does not carry the hash of the line before it")
    if seq == 0:
        return changed_here
    if kind == b"seal":
        return changed_before if _signed_seal(raw, key) else changed_here
    try:
        after = next(following, None)
    except _Bad:
        return changed_here
    if after is None:
        return changed_before
    opening = layout.LINE_OPENING.match(after[1].raw)
    carried = opening is not None and opening[2] == hashlib.sha256(raw).hexdigest().encode()
    return changed_before if carried else changed_here


def _require_header(raw: bytes, kind: bytes, key: PublicKey) -> None:
    if kind != b"open":
        raise _Bad(0, f"the first line is of kind {kind.decode()}, not open")
    header = parse(raw[:-1])
    for name, wanted in (("format", layout.FORMAT), ("origin", key.origin), ("public_key", key.raw.hex())):
        if header.get(name) != wanted:
            raise _Bad(0, f"{name} of the record is {str(header.get(name))[:140]!r}, wanted is {wanted!r}")


def _require_seal(seq: int, raw: bytes, key: PublicKey) -> None:
    if not _signed_seal(raw, key):
        raise _Bad(
            seq,
            f"the seal (line {seq}) does not hold: it was changed, lines before it were rewritten, or another key"
            " or station signed",
        )


def _signed_seal(raw: bytes, key: PublicKey) -> bool:
    fields = layout.SEAL_LINE.fullmatch(raw)
    if fields is None:
        return False
    seq, prev, time, records, head, signature = (field.decode("ascii") for field in fields.groups())
    if (seq, prev) != (records, head):
        return False
    message = layout.seal_message(key.origin, int(records), int(time), head)
    return key.signed(message, bytes.fromhex(signature))


def _require_end(lines: Iterator[tuple[int, Line]]) -> None:
    after = next(lines, None)
    if after is not None:
        raise _Bad(after[0], "bytes follow the seal")


def _require_tear(seq: int, head: str, raw: bytes) -> None:
    """A tear leaves the beginning of a line, perhaps with zeros that a file system put for bytes it lost."""
    torn = raw.rstrip(b"\0")
    wanted = f'{{"seq":{seq},"prev":"{head}","kind":"'.encode()
    length = min(len(torn), len(wanted))
    if torn[:length] == wanted[:length]:
        if overruns(torn):
            raise _Bad(seq, f"line {seq} has no newline and is no torn line either")
        return
    opening = layout.LINE_OPENING.match(torn)
    if seq > 0 and opening is not None and opening[1] == b"%d" % seq:
        raise _Bad(seq - 1, f"the bytes of line {seq - 1} are not those that line {seq} was chained to")
    raise _Bad(seq, f"line {seq} is torn and does not continue the record")
