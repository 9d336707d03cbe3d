"""The file of a log's private root: encrypted by a passphrase, bound to its public key, kept off the station.

One line of JSON. Encrypted, the private key is sealed by ChaCha20-Poly1305 under a key that scrypt makes of the
passphrase, with the public key as associated data: a file whose origin was changed does not open.
"""

from __future__ import annotations

import json
import os
import unicodedata
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl.record.epochs import Signer
from rfctl.record.notes import BadNote, VerifierKey, decode64, encode64
from rfctl_verify.strict_json import NotStrictJson
from rfctl_verify.strict_json import parse as parse_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = "rfctl-root-1"
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 17, 8, 1
"""128 MiB and some tenths of a second a guess."""
SHORTEST_PASSPHRASE = 12
_LONGEST_FILE_BYTES = 4096
_PLAIN = {"format", "public", "private"}
_SEALED = {"format", "public", "salt", "nonce", "sealed"}


def save(path: Path, root: Signer, passphrase: str | None) -> None:
    """Write the private root, mode 0600, synced.

    Args:
        path: A file that does not exist yet.
        root: What is kept.
        passphrase: Encrypts it; None: it is kept as it is.

    Raises:
        ConfigError: The file exists or cannot be written, or the passphrase is too short.
    """
    members: dict[str, str] = {"format": FORMAT, "public": root.public.text}
    private = root.private.private_bytes_raw()
    if passphrase is None:
        members["private"] = encode64(private)
    else:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise ConfigError(
                f"a passphrase has at least {SHORTEST_PASSPHRASE} characters, this one {len(passphrase)}",
                remedy="Choose a longer one: whoever finds the file can try without end.",
            )
        salt, nonce = os.urandom(16), os.urandom(12)
        cipher = ChaCha20Poly1305(_key_of(passphrase, salt))
        sealed = cipher.encrypt(nonce, private, root.public.text.encode("ascii"))
        members |= {"salt": encode64(salt), "nonce": encode64(nonce), "sealed": encode64(sealed)}
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(json.dumps(members) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError("exists already", where=str(path), remedy="A root is never overwritten.") from None
    except OSError as problem:
        raise ConfigError(
            f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the folder."
        ) from None


def load(path: Path, passphrase: Callable[[], str]) -> Signer:
    """Read a private root.

    Args:
        path: What ``save`` wrote.
        passphrase: Asked only when the file is encrypted.

    Raises:
        ConfigError: No such file, the passphrase is wrong, or the file was changed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    members, public = _read(path)
    try:
        if members.keys() == _PLAIN:
            raw = decode64(members["private"])
        else:
            salt, nonce, sealed = (decode64(members[name]) for name in ("salt", "nonce", "sealed"))
            cipher = ChaCha20Poly1305(_key_of(passphrase(), salt))
            raw = cipher.decrypt(nonce, sealed, public.text.encode("ascii"))
        private = Ed25519PrivateKey.from_private_bytes(raw)
    except InvalidTag:
        raise ConfigError(
            "the passphrase is wrong, or the file was changed", where=str(path), remedy="Try again."
        ) from None
    except ValueError as problem:
        raise _no_root(path, problem) from None
    root = Signer(public.origin, private)
    if root.public != public:
        raise _no_root(path, "its private key is not that of its public key")
    return root


def load_public(path: Path) -> VerifierKey:
    """The public half, without a passphrase; whether the private one belongs to it only ``load`` can tell.

    Raises:
        ConfigError: Not a file of a root.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, str], VerifierKey]:
    try:
        with path.open("rb") as file:
            members = parse_json(file.read(_LONGEST_FILE_BYTES).strip())
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(path), remedy="Check the path.") from None
    except (NotStrictJson, ValueError) as problem:
        raise _no_root(path, problem) from None
    texts = {name: value for name, value in members.items() if isinstance(value, str)}
    if texts != members or texts.get("format") != FORMAT or texts.keys() not in (_PLAIN, _SEALED):
        raise _no_root(path, "other members")
    try:
        return texts, VerifierKey.parse(texts["public"])
    except BadNote as problem:
        raise _no_root(path, problem) from None


def _no_root(path: Path, why: object) -> ConfigError:
    return ConfigError(f"is no private root: {why}", where=str(path), remedy="rfctl keys init makes one.")


def _key_of(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    kdf = Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P)
    return kdf.derive(unicodedata.normalize("NFC", passphrase).encode("utf-8"))
