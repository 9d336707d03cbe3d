"""The public key that somebody holds who wants to verify a record, and its one-line file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from rfctl_verify.files import Unreadable, read_whole
from rfctl_verify.note import ED25519, BadNote, canonical_base64, key_id

if TYPE_CHECKING:
    from pathlib import Path

_VERIFIER_KEY = re.compile(rb"(rfctl/[!-*,-~]{1,120})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})\n")
_FORMAT_0 = re.compile(rb"rfctl-ed25519 ([0-9a-f]{64}) (rfctl/[!-~]{1,120})\n")
_LONGEST_FILE_BYTES = 4096


class Key(Protocol):
    """An Ed25519 public key, 32 bytes, and the origin of the records that it may have signed."""

    @property
    def raw(self) -> bytes: ...
    @property
    def origin(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key from a file.

    Attributes:
        raw: The Ed25519 public key, 32 bytes.
        origin: ``rfctl/`` and the station's name; a record of another station does not verify.
    """

    raw: bytes
    origin: str


def read_public_key(path: Path) -> PublicKey:
    """Read a ``.pub`` file: ``ORIGIN+KEYID+KEY``, or as format 0 has it ``rfctl-ed25519 KEY ORIGIN``; one line.

    Raises:
        Unreadable: No regular file, unreadable, or not exactly such a line.
    """
    line = read_whole(path, _LONGEST_FILE_BYTES)
    old = _FORMAT_0.fullmatch(line)
    if old is not None:
        return PublicKey(bytes.fromhex(old[1].decode("ascii")), old[2].decode("ascii"))
    fields = _VERIFIER_KEY.fullmatch(line)
    if fields is not None:
        origin, stated, text = (field.decode("ascii") for field in fields.groups())
        try:
            decoded = canonical_base64(text)
        except BadNote:
            decoded = b""
        if decoded[:1] == ED25519 and key_id(origin, ED25519, decoded[1:]).hex() == stated:
            return PublicKey(decoded[1:], origin)
    raise Unreadable(path, "is no public key of a record: ORIGIN+KEYID+KEY, one line")


def holds(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the owner of this key signed exactly this message."""
    try:
        _key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
