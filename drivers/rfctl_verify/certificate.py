"""Epoch certificates: which key signs from which record on, by the word of the root or of the epoch before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl_verify.forms import TIME, seconds
from rfctl_verify.note import BadNote, Note, canonical_base64, parse_note

if TYPE_CHECKING:
    from rfctl_verify.note import Signature

MAX_NOTE_BYTES = 4096
_TEXT = re.compile(
    r"rfctl-epoch-v1\n([!-*,-~]{1,140})\nepoch ([1-9][0-9]{0,14})\nkey ([A-Za-z0-9+/]{43}=)\n"
    r"start (any|0|[1-9][0-9]{0,14})\nprev (any|none|[A-Za-z0-9+/]{43}=)\n"
    r"not-before ([0-9TZ:-]{20})\nnot-after (never|[0-9TZ:-]{20})\n"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Whether its signature holds has still to be asked.

    Attributes:
        text: What is signed.
        signature: The one signature.
        origin: Of which log.
        epoch: Number of the epoch.
        key: Its public key, 32 bytes.
        start: Position of the segment record that begins it; None for any.
        prev: Hash of the last checkpoint note before, empty where there is none; None for any.
        not_before_s: Seconds since 1970.
        not_after_s: Seconds since 1970; None for never.
    """

    text: bytes
    signature: Signature
    origin: str
    epoch: int
    key: bytes
    start: int | None
    prev: bytes | None
    not_before_s: int
    not_after_s: int | None


def one_signature_note(text: str) -> tuple[bytes, Note]:
    """A note as it stands in a record: its bytes, and what it consists of.

    Raises:
        BadNote: Not canonical base64, too long, not printable ASCII, or not exactly one signature.
    """
    raw = canonical_base64(text)
    if len(raw) > MAX_NOTE_BYTES:
        raise BadNote(f"the note has {len(raw)} bytes, at most {MAX_NOTE_BYTES} are read")
    note = parse_note(raw)
    if len(note.signatures) != 1 or len(note.signatures[0].value) != 64:
        raise BadNote("the note has not exactly one Ed25519 signature")
    if not note.text.isascii() or b"\x7f" in note.text:
        raise BadNote("the note's text is not printable ASCII")
    return raw, note


def parse_certificate(text: str) -> Certificate:
    """Read a certificate from its base64.

    Raises:
        BadNote: It has another form.
    """
    _, note = one_signature_note(text)
    fields = _TEXT.fullmatch(note.text.decode("ascii"))
    if fields is None:
        raise BadNote("the note is no certificate of an epoch")
    origin, epoch, key, start, prev, not_before, not_after = fields.groups()
    return Certificate(
        note.text,
        note.signatures[0],
        origin,
        int(epoch),
        canonical_base64(key),
        None if start == "any" else int(start),
        None if prev == "any" else b"" if prev == "none" else canonical_base64(prev),
        _time(not_before),
        None if not_after == "never" else _time(not_after),
    )


def _time(text: str) -> int:
    raw = text.encode("ascii")
    if TIME.fullmatch(raw) is None:
        raise BadNote(f"{text} is no time")
    return seconds(raw)
