"""C2SP signed notes: text, an empty line, signature lines. Checkpoints and certificates are such notes."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"
LONGEST_NOTE_BYTES = 4096
ORIGIN = re.compile(r"rfctl/[!#-*,-\[\]-~]{1,120}", re.ASCII)
"""Visible ASCII without the plus sign, which ends the name in a verifier key, and without what JSON would escape."""
_TEXT = re.compile(rb"(?:[ -~]+\n)+", re.ASCII)
_SIGNATURE = re.compile("\u2014 ([!-*,-~]{1,200}) ([A-Za-z0-9+/]+=*)\n")


class BadNote(ValueError):
    """The bytes are no signed note, or what was looked for is not in it."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name under which it signs, which is the origin of the log.

    Attributes:
        origin: ``rfctl/STATION-UUID``.
        raw: The Ed25519 public key, 32 bytes.

    Raises:
        ConfigError: Not 32 bytes, or an origin that no log can have.
    """

    origin: str
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise ConfigError(f"a public key has 32 bytes, this one {len(self.raw)}", remedy="Give the .pub file.")
        if ORIGIN.fullmatch(self.origin) is None:
            raise ConfigError(f"{self.origin!r} is no origin of a log", remedy="It reads rfctl/STATION-UUID.")

    @property
    def key_id(self) -> bytes:
        """The four bytes that open each of its signatures."""
        return hashlib.sha256(self.origin.encode("ascii") + b"\n" + ED25519 + self.raw).digest()[:4]

    @property
    def text(self) -> str:
        """``ORIGIN+KEYID+KEY``, as it stands in a public key file."""
        return f"{self.origin}+{self.key_id.hex()}+{encode64(ED25519 + self.raw)}"

    @classmethod
    def of(cls, origin: str, private: Ed25519PrivateKey) -> Self:
        """The public half of ``private`` under a name.

        Raises:
            ConfigError: The origin is none.
        """
        return cls(origin, private.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of ``ORIGIN+KEYID+KEY``.

        Raises:
            BadNote: Not of this form, or the key ID is not that of name and key.
        """
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise BadNote("a verifier key is ORIGIN+KEYID+KEY")
        origin, key_id, encoded = parts
        raw = decode64(encoded)
        if raw[:1] != ED25519 or len(raw) != 33:
            raise BadNote("it is no Ed25519 key")
        try:
            key = cls(origin, raw[1:])
        except ConfigError as problem:
            raise BadNote(problem.what) from None
        if key.key_id.hex() != key_id:
            raise BadNote(f"its key ID is {key.key_id.hex()}, it says {key_id[:20]!r}")
        return key

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over exactly this message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart. Nothing is verified.

    Attributes:
        text: What is signed, its last newline included.
        signatures: Name, key ID and signature of each signature line.
    """

    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether one of the signatures is a good one of this key under its name."""
        return any(
            name == key.origin and key_id == key.key_id and key.signed(self.text, signature)
            for name, key_id, signature in self.signatures
        )


def sign(text: bytes, origin: str, private: Ed25519PrivateKey) -> bytes:
    """The note of a text, with one signature under the name ``origin``.

    Raises:
        BadNote: The text is not lines of printable ASCII, each ended by a newline.
    """
    if _TEXT.fullmatch(text) is None:
        raise BadNote("the text of a note is lines of printable ASCII")
    key_id = VerifierKey.of(origin, private).key_id
    return text + f"\n\u2014 {origin} {encode64(key_id + private.sign(text))}\n".encode()


def parse(note: bytes) -> Note:
    """A note taken apart, strictly.

    Raises:
        BadNote: The bytes are no note of this profile: too long, text that is not ASCII, a signature line that is none.
    """
    if len(note) > LONGEST_NOTE_BYTES:
        raise BadNote(f"{len(note)} bytes are too long for a note")
    text, _, rest = note.partition(b"\n\n")
    text += b"\n"
    if _TEXT.fullmatch(text) is None:
        raise BadNote("the text of a note is lines of printable ASCII")
    try:
        lines = rest.decode("utf-8").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise BadNote("the signature lines are not UTF-8") from None
    signatures = []
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise BadNote("a line behind the empty one is no signature line")
        blob = decode64(match[2])
        if len(blob) < 5:
            raise BadNote("a signature is too short")
        signatures.append((match[1], blob[:4], blob[4:]))
    if not signatures:
        raise BadNote("there is no signature")
    return Note(text, tuple(signatures))


def encode64(data: bytes) -> str:
    """Base64 in the one form that the format allows."""
    return b64encode(data).decode("ascii")


def decode64(text: str) -> bytes:
    """The bytes of canonical base64.

    Raises:
        BadNote: Not base64, or not the one form of it.
    """
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote(f"{text[:20]!r} is no base64") from None
    if encode64(data) != text:
        raise BadNote(f"{text[:20]!r} is not canonical base64")
    return data
