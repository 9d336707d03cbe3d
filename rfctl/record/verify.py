"""Verifies a record against one public key: recomputes every hash from the bytes as stored and believes none of them.

Needs no network, no service and bounded memory, and answers with a verdict whatever the file holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rfctl.record import layout
from rfctl.record.reader import LineTooLong, raw_lines
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
    lines = raw_lines(path)
    walk = _Walk(public_key)
    try:
        return walk.to_the_end(lines)
    except LineTooLong as problem:
        return _modified(walk.seq, problem.what)
    except _Bad as bad:
        return _modified(bad.seq, bad.detail)


class _Walk:
    """One pass over the lines of a file, up to where its verdict is known."""

    def __init__(self, key: PublicKey) -> None:
        self.key = key
        self.seq = 0
        self.head = layout.GENESIS

    def to_the_end(self, lines: Iterator[bytes]) -> Verdict:
        raw = b""
        for raw in lines:
            seq = self.seq
            opening = layout.line_opening(seq, self.head)
            if raw[-1:] != b"\n":
                _require_tear(seq, opening, raw)
                return _unclean(seq, f"line {seq} is torn after {len(raw)} bytes")
            if not raw.startswith(opening):
                raise self._blame(raw, lines)
            kind = layout.KIND_AND_TIME.match(raw, len(opening))
            if kind is None:
                raise _Bad(seq, f"line {seq} has no kind or its time is no integer")
            try:
                check(raw[:-1])
            except NotStrictJson as problem:
                raise _Bad(seq, f"line {seq}: {problem}") from None
            if kind[1] == b"seal":
                return self._sealed(raw, lines)
            if (kind[1] == b"open") != (seq == 0):
                raise _Bad(seq, f"line {seq} is of kind {kind[1].decode()}: the first line opens the record, no other")
            if seq == 0:
                _require_header(raw, self.key)
            self.head = hashlib.sha256(raw).hexdigest()
            self.seq = seq + 1
        if layout.SEAL_MEMBERS.search(raw, max(len(raw) - 512, 0)):
            raise _Bad(self.seq - 1, f"line {self.seq - 1} ends as a seal does and is of another kind")
        return _unclean(self.seq, f"the file ends after {self.seq} records")

    def _sealed(self, raw: bytes, lines: Iterator[bytes]) -> Verdict:
        if not _signed_seal(raw, self.key):
            raise _Bad(
                self.seq,
                f"the seal (line {self.seq}) does not hold: it was changed, lines before it were rewritten, or another"
                " key or station signed",
            )
        self.seq += 1
        if next(lines, None) is not None:
            raise _Bad(self.seq, "bytes follow the seal")
        records = self.seq - 1
        return Verdict(
            Outcome.VALID_UNANCHORED, records, None, f"sealed after {records} records, signed by the given key"
        )

    def _blame(self, raw: bytes, lines: Iterator[bytes]) -> _Bad:
        """Which line is to blame when ``raw`` does not continue the record.

        When it carries its number and another hash, it or the line before it was changed. It is as written if its own
        hash is carried on by the line after it, or if it is a seal whose signature holds.
        """
        seq = self.seq
        opening = layout.LINE_OPENING.match(raw)
        if opening is None:
            return _Bad(seq, f"line {seq} does not open as a line of a record does")
        if opening[1] != b"%d" % seq:
            return _Bad(
                seq, f"line {seq} says that it is number {opening[1].decode()}: a line is missing, added or moved"
            )
        if seq > 0 and self._is_as_written(raw, opening[3], lines):
            return _changed_before(seq)
        return _Bad(seq, f"line {seq} does not carry the hash of the line before it")

    def _is_as_written(self, raw: bytes, kind: bytes, lines: Iterator[bytes]) -> bool:
        if kind == b"seal":
            return _signed_seal(raw, self.key)
        try:
            after = next(lines, None)
        except LineTooLong:
            return False
        if after is None:
            return True
        opening = layout.LINE_OPENING.match(after)
        return opening is not None and opening[2] == hashlib.sha256(raw).hexdigest().encode("ascii")


def _modified(seq: int, detail: str) -> Verdict:
    return Verdict(Outcome.MODIFIED, seq, seq, detail)


def _unclean(records: int, detail: str) -> Verdict:
    return Verdict(Outcome.UNCLEAN_END, records, None, f"{detail}, without a seal: no signature covers this record")


def _changed_before(seq: int) -> _Bad:
    return _Bad(seq - 1, f"the bytes of line {seq - 1} are not those that line {seq} was chained to")


def _require_header(raw: bytes, key: PublicKey) -> None:
    header = parse(raw[:-1])
    for name, wanted in (("format", layout.FORMAT), ("origin", key.origin), ("public_key", key.raw.hex())):
        if header.get(name) != wanted:
            raise _Bad(0, f"{name} of the record is {str(header.get(name))[:140]!r}, wanted is {wanted!r}")


def _signed_seal(raw: bytes, key: PublicKey) -> bool:
    fields = layout.SEAL_LINE.fullmatch(raw)
    if fields is None:
        return False
    seq, prev, time, records, head, signature = (field.decode("ascii") for field in fields.groups())
    if (seq, prev) != (records, head):
        return False
    message = layout.seal_message(key.origin, int(records), int(time), head)
    return key.signed(message, bytes.fromhex(signature))


def _require_tear(seq: int, opening: bytes, raw: bytes) -> None:
    """A tear leaves the beginning of a line, perhaps with zeros that a file system put for bytes it lost."""
    torn = raw.rstrip(b"\0")
    length = min(len(torn), len(opening))
    if torn[:length] == opening[:length]:
        if overruns(torn):
            raise _Bad(seq, f"line {seq} has no newline and is no torn line either")
        return
    stated = layout.LINE_OPENING.match(torn)
    if seq > 0 and stated is not None and stated[1] == b"%d" % seq:
        raise _changed_before(seq)
    raise _Bad(seq, f"line {seq} is torn and does not continue the record")
