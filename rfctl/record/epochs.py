"""The keys of a log: the root that a third party trusts, and the key of each epoch, which signs and is then forgotten.

The private root belongs off the machine. A station that cannot reach it uses epochs that were *prepared*, private key
and certificate in one small file each, or lets each epoch certify the next (*chained*). Without any set-up a root is
made, used once and thrown away: the log then verifies against a public key that nobody vouches for.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rfctl.errors import ConfigError
from rfctl.record.certificate import ANY, Anywhere, Certificate
from rfctl.record.notes import BadNote, VerifierKey, decode64, encode64, parse, sign
from rfctl_verify.strict_json import NotStrictJson
from rfctl_verify.strict_json import parse as parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LONGEST_FILE_BYTES = 8192
_REMEDY = "Prepare epochs with the root of this log."
_PREPARED = re.compile(r"epoch-([0-9]{8})\.json", re.ASCII)


def generate() -> Ed25519PrivateKey:
    """A new private key. It lives in memory only."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that certifies epochs of one log: its root, or the key of the epoch before.

    Attributes:
        origin: Of the log.
        private: The key.
    """

    origin: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> VerifierKey:
        """Its public half."""
        return VerifierKey.of(self.origin, self.private)

    @classmethod
    def left_in(cls, path: Path, public: VerifierKey) -> Self | None:
        """The private half of a key, from the file that ``Epoch.save`` wrote; None where it is of another key.

        Raises:
            ConfigError: The file cannot be read, or holds no epoch.
        """
        private, _ = _kept(path)
        signer = cls(public.origin, private)
        return signer if signer.public == public else None

    def certify(self, certificate: Certificate) -> bytes:
        """The certificate as a note, signed.

        Raises:
            ConfigError: It is for another log.
        """
        if certificate.origin != self.origin:
            raise ConfigError(
                f"the certificate is for {certificate.origin}, the key for {self.origin}", remedy="Use that log's root."
            )
        return sign(certificate.text(), self.origin, self.private)


@dataclass(slots=True)
class Epoch:
    """The key that signs now, with the note that says so. After ``forget`` it signs no more.

    Attributes:
        certificate: What the note says.
        note: The certificate, signed by the root or by the epoch before.
        kept_in: The file that holds the private key, deleted by ``forget``; None where there is none.
    """

    certificate: Certificate
    note: bytes
    kept_in: Path | None = None
    _private: Ed25519PrivateKey | None = None

    @classmethod
    def begin(
        cls,
        signer: Signer,
        epoch: int,
        *,
        start: int | Anywhere,
        prev: bytes | Anywhere | None,
        not_before: datetime,
        not_after: datetime | None = None,
    ) -> Self:
        """A new key, certified by ``signer``. For the meaning of the rest see ``Certificate``."""
        private = generate()
        certificate = Certificate(
            origin=signer.origin,
            epoch=epoch,
            key=private.public_key().public_bytes_raw(),
            start=start,
            prev=prev,
            not_before=not_before.replace(microsecond=0),
            not_after=not_after.replace(microsecond=0) if not_after is not None else None,
        )
        return cls(certificate, signer.certify(certificate), None, private)

    @property
    def public(self) -> VerifierKey:
        """The public half of its key."""
        return VerifierKey(self.certificate.origin, self.certificate.key)

    def signer(self) -> Signer:
        """The key as one that can certify the next epoch.

        Raises:
            ConfigError: It was forgotten.
        """
        if self._private is None:
            raise ConfigError(f"the key of epoch {self.certificate.epoch} was forgotten", remedy="Begin another epoch.")
        return Signer(self.certificate.origin, self._private)

    def sign(self, text: bytes) -> bytes:
        """The note of a checkpoint's text.

        Raises:
            ConfigError: It was forgotten.
        """
        signer = self.signer()
        return sign(text, signer.origin, signer.private)

    def forget(self) -> None:
        """Drop the private key and delete its file: best effort, for on flash storage a deleted file may survive."""
        self._private = None
        if self.kept_in is not None:
            self.kept_in.unlink(missing_ok=True)
            self.kept_in = None

    def save(self, path: Path) -> None:
        """Keep the epoch for later in a file that its owner alone can read (mode 0600), synced.

        Raises:
            ConfigError: The file exists or cannot be written, or the key was forgotten.
        """
        private = self.signer().private
        text = json.dumps({"private": private.private_bytes_raw().hex(), "certificate": encode64(self.note)})
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise ConfigError("exists already", where=str(path), remedy="A key is never overwritten.") from None
        except OSError as problem:
            raise ConfigError(
                f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the folder."
            ) from None
        self.kept_in = path

    @classmethod
    def load(cls, path: Path, signer: VerifierKey) -> Self:
        """The epoch that ``save`` kept, if ``signer`` certified it: the log's root, or the epoch before.

        Raises:
            ConfigError: Unreadable, for another log, or certified by somebody else.
        """
        private, note = _kept(path)
        try:
            certificate = parse_certificate(note, signer)
        except BadNote as problem:
            raise ConfigError(f"is no prepared epoch: {problem}", where=str(path), remedy=_REMEDY) from None
        if private.public_key().public_bytes_raw() != certificate.key:
            raise ConfigError("its key is not the one of its certificate", where=str(path), remedy=_REMEDY)
        return cls(certificate, note, path, private)


def _kept(path: Path) -> tuple[Ed25519PrivateKey, bytes]:
    """The private key of an epoch, and its certificate as a note."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        with path.open("rb") as file:
            members = parse_json(file.read(_LONGEST_FILE_BYTES).strip())
        private_hex, encoded = members["private"], members["certificate"]
        if not (isinstance(private_hex, str) and isinstance(encoded, str) and len(members) == 2):
            raise BadNote("it holds other things than a private key and a certificate")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_hex)), decode64(encoded)
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(path), remedy=_REMEDY) from None
    except (NotStrictJson, KeyError, ValueError) as problem:
        raise ConfigError(f"is no prepared epoch: {problem}", where=str(path), remedy=_REMEDY) from None


def parse_certificate(note: bytes, signer: VerifierKey) -> Certificate:
    """The certificate in a note.

    Raises:
        BadNote: Not a certificate for the signer's log, or not signed by it.
    """
    parsed = parse(note)
    certificate = Certificate.parse(parsed.text)
    if certificate.origin != signer.origin:
        raise BadNote(f"it is for {certificate.origin}, not for {signer.origin}")
    if not parsed.signed_by(signer):
        raise BadNote(f"key {signer.key_id.hex()} did not sign it")
    return certificate


def prepare(
    root: Signer, folder: Path, *, first: int, count: int, not_before: datetime, not_after: datetime | None
) -> list[Path]:
    """Certify epochs in advance, one file each, for a station that cannot reach the root.

    Args:
        root: Of the log.
        folder: Where the station looks for them, see ``prepared``; made when it is not there, mode 0700.
        first: Number of the first epoch.
        count: How many.
        not_before: They hold from this second on, UTC.
        not_after: They hold to this second, UTC; None for ever.

    Raises:
        ConfigError: A file exists or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"cannot be made: {problem.strerror}", where=str(folder), remedy="Check the path.") from None
    paths = []
    for number in range(first, first + count):
        epoch = Epoch.begin(root, number, start=ANY, prev=ANY, not_before=not_before, not_after=not_after)
        path = epoch_file(folder, number)
        epoch.save(path)
        paths.append(path)
    return paths


def prepared(folder: Path, root: VerifierKey, number: int, now: datetime) -> Epoch | None:
    """The epoch of this number that was prepared in ``folder``; None where there is none.

    Raises:
        ConfigError: It cannot be used: unreadable, of another log, or out of its time.
    """
    path = epoch_file(folder, number)
    if not path.exists():
        return None
    epoch = Epoch.load(path, root)
    certificate = epoch.certificate
    if certificate.epoch != number:
        raise ConfigError(
            f"it is epoch {certificate.epoch}, not {number}", where=str(path), remedy="Prepare epochs again."
        )
    now = now.astimezone(UTC)
    if now < certificate.not_before or (certificate.not_after is not None and now > certificate.not_after):
        raise ConfigError(
            f"it holds from {certificate.not_before} to {certificate.not_after or 'ever'}, now is {now}",
            where=str(path),
            remedy=f"Check the clock, or prepare epochs again from this one on: rfctl keys epoch --first {number}.",
        )
    return epoch


def epoch_file(folder: Path, number: int) -> Path:
    """Where a prepared epoch lies."""
    return folder / f"epoch-{number:08d}.json"


def prepared_numbers(folder: Path) -> list[int]:
    """The numbers of the epochs that lie prepared in a folder, in order."""
    if not folder.is_dir():
        return []
    matches = (_PREPARED.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match is not None)


def write_public_key(path: Path, key: VerifierKey) -> None:
    """Write the ``.pub`` file of a log: the verifier key and a newline, synced.

    Raises:
        ConfigError: The file exists or cannot be written.
    """
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(key.text + "\n")
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


def load_public_key(path: Path) -> VerifierKey:
    """Read the ``.pub`` file of a log.

    Raises:
        ConfigError: Unreadable, or not exactly one verifier key and a newline.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE_BYTES)
        if not content.endswith(b"\n"):
            raise BadNote("it has no newline at its end")
        return VerifierKey.parse(content[:-1].decode("ascii"))
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(path), remedy="Check the path.") from None
    except (BadNote, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"not a public key of a log: {problem}",
            where=str(path),
            remedy="It is one line: ORIGIN+KEYID+KEY.",
        ) from None
