"""Signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) read strictly: text, blank line, signatures."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

ED25519 = b"\x01"
"""Signature type of plain Ed25519 over the note's text."""
COSIGNATURE = b"\x04"
"""Signature type of a witness (c2sp.org/tlog-cosignature): Ed25519 over a time and the note's text."""
MAX_NOTE_BYTES = 16 << 10
MAX_SIGNATURES = 16

_NAME = re.compile(r"[!-*,-~]{1,140}")
_SIGNATURE = re.compile("\N{EM DASH} ([!-*,-~]{1,140}) ([A-Za-z0-9+/]{4,200}={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,14}")


class BadNote(ValueError):
    """The bytes are no signed note, or no checkpoint, as the specification wants it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line.

    Attributes:
        name: Of the key.
        key_id: First four bytes of a hash of name, type and key.
        value: The signature itself; for a witness led by eight bytes of time.
    """

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note whose form is right; whether a signature holds has still to be asked.

    Attributes:
        text: What is signed: every line with its newline.
        signatures: At least one.
    """

    text: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the text of a note says of a tree.

    Attributes:
        origin: Which log.
        size: Number of leaves.
        root: Its root, 32 bytes.
        extensions: Further lines.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...]


def in_base64(data: bytes) -> bytes:
    """The one text that stands for the bytes, in ASCII."""
    return binascii.b2a_base64(data, newline=False)


def canonical_base64(text: str) -> bytes:
    """The bytes, of the one text that stands for them.

    Raises:
        BadNote: Another alphabet, missing padding, or bits that no byte has.
    """
    try:
        found = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise BadNote(f"{text[:60]!r} is not base64") from None
    if in_base64(found).decode("ascii") != text:
        raise BadNote(f"{text[:60]!r} is not the one way to write this in base64")
    return found


def key_id(name: str, kind: bytes, public_key: bytes) -> bytes:
    """Which key a signature line means."""
    return sha256(name.encode("ascii") + b"\n" + kind + public_key).digest()[:4]


def parse_note(raw: bytes) -> Note:
    """Take a signed note apart.

    Raises:
        BadNote: Not UTF-8, a control character, no signature, one key twice, or a line that is none.
    """
    if len(raw) > MAX_NOTE_BYTES:
        raise BadNote(f"the note has {len(raw)} bytes, at most {MAX_NOTE_BYTES} are read")
    try:
        note = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadNote("the note is not UTF-8") from None
    if _CONTROL.search(note):
        raise BadNote("a control character is in the note")
    text, blank, tail = note.rpartition("\n\n")
    if not (blank and text and tail.endswith("\n")):
        raise BadNote("the note is not a text, a blank line and signature lines")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote(f"the note has {len(lines)} signature lines, at most {MAX_SIGNATURES} are read")
    signatures = tuple(_signature(line) for line in lines)
    if len({(each.name, each.key_id) for each in signatures}) != len(signatures):
        raise BadNote("one key signed twice")
    return Note(text.encode("utf-8") + b"\n", signatures)


def parse_checkpoint(text: bytes) -> Checkpoint:
    """What a note's text says: origin, size, root, and lines that others may add.

    Raises:
        BadNote: A line is missing, empty or not in its only form.
    """
    lines = text.decode("utf-8").split("\n")
    if len(lines) < 4 or lines.pop() != "" or "" in lines:
        raise BadNote("a checkpoint has a line for each of origin, size and root, and no empty one")
    origin, size, root, *extensions = lines
    if _NAME.fullmatch(origin) is None:
        raise BadNote(f"{origin[:60]!r} is no origin")
    if _SIZE.fullmatch(size) is None:
        raise BadNote(f"{size[:60]!r} is no size")
    decoded = canonical_base64(root)
    if len(decoded) != 32:
        raise BadNote(f"a root has 32 bytes, this one {len(decoded)}")
    return Checkpoint(origin, int(size), decoded, tuple(extensions))


def _signature(line: str) -> Signature:
    fields = _SIGNATURE.fullmatch(line)
    if fields is None:
        raise BadNote(f"{line[:60]!r} is no signature line")
    decoded = canonical_base64(fields[2])
    if len(decoded) <= 4:
        raise BadNote("a signature line without a signature")
    return Signature(fields[1], decoded[:4], decoded[4:])
