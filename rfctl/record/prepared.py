"""The keys of a station's one log: epochs that its root certified in advance, and what happens when they are used up.

The last prepared epoch certifies the next one when its session closes (*chained*): the key of the next then waits in
the folder, that of the one before is gone. After a crash the key of the session that was cut off is still there and
does the same. The root countersigns chained epochs later, from a copy of the log.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Self

from rfctl.errors import ConfigError
from rfctl.record.certificate import Certificate
from rfctl.record.disk import Disk
from rfctl.record.epochs import (
    Epoch,
    Signer,
    epoch_file,
    load_public_key,
    parse_certificate,
    prepared,
    prepared_numbers,
)
from rfctl.record.notes import BadNote, VerifierKey, parse
from rfctl.record.opening import scan
from rfctl.record.verify import Outcome, verify

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rfctl.record.standing import Standing

PUBLIC_FILE: Final = "root.pub"
FEW: Final = 3
"""With fewer epochs left than this, somebody is told."""
_COUNTERSIGNED: Final = "countersigned-*.note"
_COPY_OF_A_GOOD_LOG: Final = frozenset({Outcome.OPEN_TAIL, Outcome.UNCLEAN_END, Outcome.CLOCK_ANOMALY})
"""Verdicts, besides the good ones, on a log whose certificates are as they were written."""


class Prepared:
    """Epochs that the root of a log certified in advance, in a folder of the station.

    Attributes:
        origin: Of the log.
        public: The root's public key.
        chained: The epoch that began last is certified by the one before it only.
        left: Prepared epochs behind the one that began last.
        number: Of the epoch that began last; 0 before.
    """

    def __init__(self, public: VerifierKey, folder: Path) -> None:
        """Look for them in ``folder``."""
        self.origin = public.origin
        self.public = public
        self.chained = False
        self.left = self.number = 0
        self._folder = folder

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The keys in a folder that ``rfctl keys epoch`` filled.

        Raises:
            ConfigError: The folder or the public key in it cannot be read.
        """
        if not folder.is_dir():
            raise ConfigError(
                "is no folder of keys", where=str(folder), remedy="Put there what rfctl keys epoch --out makes."
            )
        return cls(load_public_key(folder / PUBLIC_FILE), folder)

    @property
    def warning(self) -> str:
        """What somebody has to do about the keys; empty where nothing is to be done."""
        first = max([self.number, *prepared_numbers(self._folder)]) + 1
        remedy = f"Prepare more: rfctl keys epoch --first {first}."
        if self.chained:
            return f"epoch {self.number} is certified by the one before it, not by the root. {remedy}"
        if self.left < FEW:
            return f"prepared epochs left in {self._folder}: {self.left}. {remedy}"
        return ""

    def begin(self, standing: Standing, now: datetime) -> Epoch:
        """The next epoch: the one that was prepared, else one that the epoch before certified.

        Raises:
            ConfigError: There is none, or it cannot be used.
        """
        number = standing.epoch + 1
        epoch = prepared(self._folder, self.public, number, now)
        self.chained = epoch is None
        if epoch is None:
            epoch = self._chained(standing)
        else:
            self._remove(self._chained_file(number))
        for before in (epoch_file(self._folder, standing.epoch), self._chained_file(standing.epoch)):
            self._remove(before)  # of a session that was cut off: the next key is on the disk now
        self.number = number
        self.left = sum(each > number for each in prepared_numbers(self._folder))
        standing.countersigned.extend(self._countersigned(standing))
        return epoch

    def end(self, epoch: Epoch, *, size: int, checkpoint: bytes) -> None:
        """The epoch's session is closed and on the disk: certify the next where none was prepared, and forget the key.

        Args:
            epoch: That ended.
            size: Records of the log.
            checkpoint: The last checkpoint, a signed note.

        Raises:
            ConfigError, OSError: The disk refused; the key is kept, so that the next session can be certified by it.
        """
        number = epoch.certificate.epoch + 1
        if not epoch_file(self._folder, number).exists():
            self._certify(epoch.signer(), epoch.certificate, size, hashlib.sha256(checkpoint).digest())
        epoch.forget()
        for path in self._folder.glob(_COUNTERSIGNED):
            self._remove(path)

    def _chained(self, standing: Standing) -> Epoch:
        number, path = standing.epoch + 1, self._chained_file(standing.epoch + 1)
        last = standing.certificates.get(standing.epoch)
        certificate = Certificate.parse(parse(last).text) if last is not None else None
        if certificate is not None:
            before = VerifierKey(self.origin, certificate.key)
            if path.exists():
                epoch = Epoch.load(path, before)
                found = epoch.certificate
                if (found.epoch, found.start, found.prev) == (number, standing.tree.size, standing.last_checkpoint):
                    return epoch
            for left in (epoch_file(self._folder, standing.epoch), self._chained_file(standing.epoch)):
                signer = Signer.left_in(left, before) if left.exists() else None
                if signer is not None:
                    return self._certify(signer, certificate, standing.tree.size, standing.last_checkpoint)
        raise ConfigError(
            f"epoch {number} was not prepared, and the epoch before left no key that certifies it",
            where=str(self._folder),
            remedy=f"Prepare epochs: rfctl keys epoch --first {number}.",
        )

    def _certify(self, signer: Signer, before: Certificate, size: int, last_checkpoint: bytes) -> Epoch:
        """The next epoch, its key on the disk before anything is signed with it. Its place says when it begins, so that
        it holds from when the epoch before did: it is certified while that one ends, by a clock that may be virtual.
        """
        number = before.epoch + 1
        epoch = Epoch.begin(signer, number, start=size, prev=last_checkpoint, not_before=before.not_before)
        path = self._chained_file(number)
        self._remove(path)
        epoch.save(path)
        Disk().sync_folder(self._folder)
        return epoch

    def _countersigned(self, standing: Standing) -> list[bytes]:
        """The root's signatures that have arrived, of chained epochs of this log that have none in it yet."""
        notes = []
        for path in sorted(self._folder.glob(_COUNTERSIGNED)):
            try:
                note = path.read_bytes()
                epoch = parse_certificate(note, self.public).epoch
            except (OSError, BadNote) as problem:
                raise ConfigError(
                    f"is no certificate that the root signed: {problem}", where=str(path), remedy="Remove it."
                ) from None
            if epoch in standing.only_chained(self.public) and _text(standing.certificates[epoch]) == _text(note):
                notes.append(note)
        return notes

    def _chained_file(self, number: int) -> Path:
        return self._folder / f"chained-{number:08d}.json"

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def countersign(root: Signer, log: Path, folder: Path) -> tuple[list[int], int]:
    """Sign with the root what epochs of a log certified for each other, for the station's next session to record.

    Args:
        root: Of the log.
        log: A copy of it.
        folder: Where the signatures come to lie: the station's folder of keys, or what will be moved there.

    Returns:
        Numbers of the epochs, and of the log's last epoch.

    Raises:
        ConfigError: The log does not verify, or something cannot be read or written.
    """
    verdict = verify(log, root.public)
    if not verdict.verdict.good and verdict.verdict not in _COPY_OF_A_GOOD_LOG:
        raise ConfigError(f"{verdict}", where=str(log), remedy="The root signs for no such log.")
    standing = scan(log, root.origin)
    numbers = standing.only_chained(root.public)
    for number in numbers:
        certificate = Certificate.parse(_text(standing.certificates[number]))
        path = folder / f"countersigned-{number:08d}.note"
        try:
            path.write_bytes(root.certify(certificate))
        except OSError as problem:
            raise ConfigError(
                f"cannot be written: {problem.strerror}", where=str(path), remedy="Check the folder."
            ) from None
    return numbers, standing.epoch


def _text(note: bytes) -> bytes:
    return parse(note).text
