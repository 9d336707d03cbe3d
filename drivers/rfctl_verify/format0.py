"""Verifies a record in format 0, one file of lines under one seal: docs/formats/record-0.md."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from rfctl_verify.files import opened
from rfctl_verify.public_key import Key, holds
from rfctl_verify.strict_json import NotStrictJson, check, overruns, parse
from rfctl_verify.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = "rfctl-record-0"
OPENS_AS = b'{"seq":'
"""How a file in this format begins."""
_GENESIS = "0" * 64
_MAX_LINE_BYTES = 1 << 20
_OPENING = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z0-9_]{0,31})","t":')
_KIND_AND_TIME = re.compile(rb'([a-z][a-z0-9_]{0,31})","t":(?:0|-?[1-9][0-9]{0,18})[,}]')
_SEAL = re.compile(
    rb'\{"seq":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})","kind":"seal","t":(0|-?[1-9][0-9]{0,18})'
    rb',"records":(0|[1-9][0-9]{0,18}),"head":"([0-9a-f]{64})","signature":"([0-9a-f]{128})"\}\n'
)
_SEAL_MEMBERS = re.compile(rb',"head":"[^"]*","signature":"[^"]*"\}\n\Z')
"""How only a seal ends. A line of another kind that ends so was a seal before its kind was changed."""


class _Bad(Exception):
    """The line numbered ``seq``, or the next one, is not what was written."""

    def __init__(self, seq: int | None, detail: str) -> None:
        self.seq = seq
        self.detail = detail
        super().__init__(detail)


def verify(path: Path, key: Key) -> Verdict:
    """Verify the file at ``path`` as signed by the holder of ``key`` for the key's origin.

    Raises:
        Unreadable: The path is no readable regular file. Nothing that the file holds raises.
    """
    walk = _Walk(key)
    try:
        return walk.to_the_end(_lines(path))
    except _Bad as bad:
        return _modified(walk.seq if bad.seq is None else bad.seq, bad.detail)


def _lines(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        while raw := file.readline(_MAX_LINE_BYTES):
            if len(raw) == _MAX_LINE_BYTES and raw[-1:] != b"\n":
                raise _Bad(None, f"a line is longer than {_MAX_LINE_BYTES} bytes")
            yield raw


def _opening(seq: int, head: str) -> bytes:
    return f'{{"seq":{seq},"prev":"{head}","kind":"'.encode("ascii")


class _Walk:
    """One pass over the lines of a file, up to where its verdict is known."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.seq = 0
        self.head = _GENESIS

    def to_the_end(self, lines: Iterator[bytes]) -> Verdict:
        raw = b""
        for raw in lines:
            seq = self.seq
            opening = _opening(seq, self.head)
            if raw[-1:] != b"\n":
                _require_tear(seq, opening, raw)
                return _unclean(seq, f"line {seq} is torn after {len(raw)} bytes")
            if not raw.startswith(opening):
                raise self._blame(raw, lines)
            kind = _KIND_AND_TIME.match(raw, len(opening))
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
        if _SEAL_MEMBERS.search(raw, max(len(raw) - 512, 0)):
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
        opening = _OPENING.match(raw)
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
        except _Bad:
            return False
        if after is None:
            return True
        opening = _OPENING.match(after)
        return opening is not None and opening[2] == hashlib.sha256(raw).hexdigest().encode("ascii")


def _modified(seq: int, detail: str) -> Verdict:
    return Verdict(Outcome.MODIFIED, seq, seq, detail)


def _unclean(records: int, detail: str) -> Verdict:
    return Verdict(Outcome.UNCLEAN_END, records, None, f"{detail}, without a seal: no signature covers this record")


def _changed_before(seq: int) -> _Bad:
    return _Bad(seq - 1, f"the bytes of line {seq - 1} are not those that line {seq} was chained to")


def _require_header(raw: bytes, key: Key) -> None:
    header = parse(raw[:-1])
    for name, wanted in (("format", FORMAT), ("origin", key.origin), ("public_key", key.raw.hex())):
        if header.get(name) != wanted:
            raise _Bad(0, f"{name} of the record is {str(header.get(name))[:140]!r}, wanted is {wanted!r}")


def _signed_seal(raw: bytes, key: Key) -> bool:
    fields = _SEAL.fullmatch(raw)
    if fields is None:
        return False
    seq, prev, time, records, head, signature = (field.decode("ascii") for field in fields.groups())
    if (seq, prev) != (records, head):
        return False
    message = f"{FORMAT}\n{key.origin}\n{int(records)}\n{int(time)}\n{head}\n".encode("ascii")
    return holds(key.raw, bytes.fromhex(signature), message)


def _require_tear(seq: int, opening: bytes, raw: bytes) -> None:
    """A tear leaves the beginning of a line, perhaps with zeros that a file system put for bytes it lost."""
    torn = raw.rstrip(b"\0")
    length = min(len(torn), len(opening))
    if torn[:length] == opening[:length]:
        if overruns(torn):
            raise _Bad(seq, f"line {seq} has no newline and is no torn line either")
        return
    stated = _OPENING.match(torn)
    if seq > 0 and stated is not None and stated[1] == b"%d" % seq:
        raise _changed_before(seq)
    raise _Bad(seq, f"line {seq} is torn and does not continue the record")
