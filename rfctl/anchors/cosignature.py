"""The key of a witness and its cosignatures: time and checkpoint, as c2sp.org/tlog-cosignature has them (version 1)."""

from __future__ import annotations

import os
import platform
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rfctl.errors import ConfigError
from rfctl_verify.note import COSIGNATURE, key_id

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


_NAME = re.compile(r"[!-*,-~]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """Who cosigns.

    Attributes:
        name: Of the key, as verifiers print it: visible ASCII without ``+``.
        private: Ed25519.
    """

    name: str
    private: Ed25519PrivateKey

    @property
    def text(self) -> str:
        """The verifier key, ``NAME+KEYID+KEY``: what a verifier is given."""
        raw = self._public
        return f"{self.name}+{self._key_id.hex()}+{b64encode(COSIGNATURE + raw).decode('ascii')}"

    def cosign(self, text: bytes, time_s: int) -> bytes:
        """The signature line for a checkpoint.

        Args:
            text: Of the checkpoint, without its signatures.
            time_s: Now, seconds since 1970.
        """
        message = f"cosignature/v1\ntime {time_s}\n".encode("ascii") + text
        blob = self._key_id + time_s.to_bytes(8) + self.private.sign(message)
        return f"\u2014 {self.name} {b64encode(blob).decode('ascii')}\n".encode()

    @classmethod
    def in_folder(cls, folder: Path, name: str | None = None) -> Self:
        """The key that a witness keeps in its folder: ``witness.key``, mode 0600, and ``witness.pub`` for verifiers.

        Args:
            folder: Made when it is not there, and a key in it.
            name: Under which it cosigns; None: the one of before, or after the host.

        Raises:
            ConfigError: A file cannot be used or holds no key, the name is none, or is not the one of before.
        """
        public = folder / "witness.pub"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = public.read_text("ascii").partition("+")[0] if public.exists() else None
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"cannot be used: {problem}", where=str(folder), remedy="Check it.") from None
        name = name or kept or f"witness/{platform.node() or 'unnamed'}"
        if _NAME.fullmatch(name) is None:
            raise ConfigError(
                f"{name!r} is no name of a witness",
                remedy="It has 1 to 100 visible ASCII characters, and no plus sign.",
            )
        key = cls._load_or_make(folder / "witness.key", name)
        if kept is None:
            public.write_text(key.text + "\n", encoding="ascii")
        elif public.read_text("ascii") != key.text + "\n":
            raise ConfigError(
                f"is the key of {kept!r}, not of {name!r}",
                where=str(public),
                remedy="A witness keeps its name and key.",
            )
        return key

    @classmethod
    def _load_or_make(cls, path: Path, name: str) -> Self:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        try:
            if path.exists():
                return cls(name, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text("ascii").strip())))
            private = Ed25519PrivateKey.generate()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(private.private_bytes_raw().hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise ConfigError(f"cannot be used: {problem.strerror}", where=str(path), remedy="Check it.") from None
        except ValueError:
            raise ConfigError("holds no key of a witness", where=str(path), remedy="Restore it.") from None
        return cls(name, private)

    @property
    def _public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def _key_id(self) -> bytes:
        return key_id(self.name, COSIGNATURE, self._public)
