"""Heads of a log that were seen elsewhere: what they say must be what the log says of its first records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl_verify.files import Unreadable, opened
from rfctl_verify.forms import ORIGIN
from rfctl_verify.note import COSIGNATURE, BadNote, Note, canonical_base64, key_id, parse_checkpoint, parse_note
from rfctl_verify.public_key import holds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_HEADS = 100_000
_MAX_LINE = 24 << 10
_SHORT = re.compile(r"(\S{1,140}) (0|[1-9][0-9]{0,14}) ([0-9a-f]{16})\n?", re.ASCII)
_WITNESS = re.compile(r"([!-*,-~]{1,140})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})\n?")


@dataclass(frozen=True, slots=True)
class Head:
    """What somebody has seen of a log.

    Attributes:
        origin: Of which log.
        size: Number of records.
        root: Root of these records, or its first eight bytes.
        source: The file and, where it holds many, the line.
        raw: The signed note; empty in the short form.
    """

    origin: str
    size: int
    root: bytes
    source: str
    raw: bytes

    def agrees(self, root: bytes) -> bool:
        """Whether this is the root that was seen."""
        return root.startswith(self.root)


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns heads.

    Attributes:
        name: Of the key.
        key: Ed25519, 32 bytes.
    """

    name: str
    key: bytes

    def signed_at(self, note: Note) -> int | None:
        """When this witness cosigned the note, seconds since 1970; None when it did not (c2sp.org/tlog-cosignature)."""
        mine = key_id(self.name, COSIGNATURE, self.key)
        for each in note.signatures:
            if (each.name, each.key_id, len(each.value)) == (self.name, mine, 72):
                time_s = int.from_bytes(each.value[:8])
                message = f"cosignature/v1\ntime {time_s}\n".encode("ascii") + note.text
                return time_s if holds(self.key, each.value[8:], message) else None
        return None


def read_witness(text: str) -> Witness:
    """A witness's verifier key, ``NAME+KEYID+KEY``.

    Raises:
        BadNote: It is none.
    """
    fields = _WITNESS.fullmatch(text)
    decoded = canonical_base64(fields[3]) if fields else b""
    if fields is None or decoded[:1] != COSIGNATURE or key_id(fields[1], COSIGNATURE, decoded[1:]).hex() != fields[2]:
        raise BadNote(f"{text[:80]!r} is no verifier key of a witness")
    return Witness(fields[1], decoded[1:])


def read_heads(path: Path, origin: str) -> list[Head]:
    """The heads in a file: one signed note, a line of base64 for each note, or lines of the short form.

    Raises:
        Unreadable: It cannot be read, is none of these, holds too many, or one is of another log.
    """
    with opened(path) as file:
        whole = file.read(_MAX_LINE)
        if b"\n\n" in whole:
            found = [_note(whole, path, "")]
        else:
            file.seek(0)
            found = []
            while line := file.readline(_MAX_LINE):
                if len(found) == MAX_HEADS:
                    raise Unreadable(path, f"has more than {MAX_HEADS} heads")
                found.append(_line(line, path, f" line {len(found) + 1}"))
    if not found:
        raise Unreadable(path, "holds no head")
    other = next((head for head in found if head.origin != origin), None)
    if other is not None:
        raise Unreadable(path, f"holds a head of {other.origin!r}, and the key is for {origin!r}")
    return found


def _line(line: bytes, path: Path, where: str) -> Head:
    try:
        text = line.decode("ascii")
        fields = _SHORT.fullmatch(text)
        if fields is None:
            return _note(canonical_base64(text.removesuffix("\n")), path, where)
    except (UnicodeDecodeError, BadNote):
        raise Unreadable(path, f"{where.strip() or 'it'} is no head") from None
    if ORIGIN.fullmatch(fields[1]) is None:
        raise Unreadable(path, f"{fields[1]!r} is no origin")
    return Head(fields[1], int(fields[2]), bytes.fromhex(fields[3]), f"{path}{where}", b"")


def _note(raw: bytes, path: Path, where: str) -> Head:
    try:
        checkpoint = parse_checkpoint(parse_note(raw).text)
    except BadNote as problem:
        raise Unreadable(path, f"{where.strip() or 'it'} is no head: {problem}") from None
    return Head(checkpoint.origin, checkpoint.size, checkpoint.root, f"{path}{where}", raw)


def anchored_by(head: Head, witnesses: Sequence[Witness]) -> str:
    """Who vouches for a head: the witnesses that cosigned it, else whoever gave it."""
    if head.raw and witnesses:
        note = parse_note(head.raw)
        names = [witness.name for witness in witnesses if witness.signed_at(note) is not None]
        if names:
            return ", ".join(names)
    return "head"
