"""The key that signs a record: made for one run, its private half never stored, its public half a one-line file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl.record.layout import ORIGIN

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "rfctl-ed25519"
_LINE = re.compile(rb"rfctl-ed25519 ([0-9a-f]{64}) (rfctl/[!-~]{1,120})\n")
_LONGEST_FILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may have signed a record, and for which station.

    Attributes:
        raw: The Ed25519 public key, 32 bytes.
        origin: ``rfctl/`` and the station's name; a record of another station does not verify.

    Raises:
        ConfigError: Not 32 bytes, or an origin that no record can have.
    """

    raw: bytes
    origin: str

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise ConfigError(f"a public key has 32 bytes, this one {len(self.raw)}", remedy="Give the .pub file.")
        if ORIGIN.fullmatch(self.origin) is None:
            raise ConfigError(f"{self.origin!r} is no origin of a record", remedy="It reads rfctl/STATION.")

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over exactly this message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def generate() -> Ed25519PrivateKey:
    """A new private key, for one run. It lives in memory only."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def public_half(key: Ed25519PrivateKey, origin: str) -> PublicKey:
    """The public key of ``key``, bound to an origin.

    Raises:
        ConfigError: The origin is none.
    """
    return PublicKey(raw=key.public_key().public_bytes_raw(), origin=origin)


def write_public_key(path: Path, key: PublicKey) -> None:
    """Write the ``.pub`` file: ``rfctl-ed25519 <64 hex digits> <origin>`` and a newline, synced.

    Raises:
        ConfigError: The file exists or cannot be written.
    """
    line = f"{ALGORITHM} {key.raw.hex()} {key.origin}\n"
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError(
            "exists already", where=str(path), remedy="A key is never overwritten: move it away."
        ) from None
    except OSError as problem:
        raise ConfigError(
            f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the folder."
        ) from None


def load_public_key(path: Path) -> PublicKey:
    """Read a ``.pub`` file.

    Raises:
        ConfigError: Unreadable, or not exactly the one line that ``write_public_key`` writes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE_BYTES)
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(path), remedy="Check the path.") from None
    match = _LINE.fullmatch(content)
    if match is None:
        raise ConfigError(
            f"not a public key of a record: it starts {content[:24]!r}",
            where=str(path),
            remedy=f"It is one line: {ALGORITHM}, 64 lower-case hex digits, the origin.",
        )
    return PublicKey(raw=bytes.fromhex(match[1].decode("ascii")), origin=match[2].decode("ascii"))
