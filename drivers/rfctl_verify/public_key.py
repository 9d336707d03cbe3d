"""The public key that somebody holds who wants to verify a record, and its one-line file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from rfctl_verify.files import Unreadable, read_whole

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(rb"rfctl-ed25519 ([0-9a-f]{64}) (rfctl/[!-~]{1,120})\n")
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
    """Read a ``.pub`` file: ``rfctl-ed25519 <64 hex digits> <origin>`` and a newline.

    Raises:
        Unreadable: No regular file, unreadable, or not exactly that line.
    """
    match = _LINE.fullmatch(read_whole(path, _LONGEST_FILE_BYTES))
    if match is None:
        raise Unreadable(path, "is no public key of a record: rfctl-ed25519, 64 lower-case hex digits, the origin")
    return PublicKey(bytes.fromhex(match[1].decode("ascii")), match[2].decode("ascii"))


def holds(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the owner of this key signed exactly this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
