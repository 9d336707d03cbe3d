"""The certificate of an epoch: which key signs a log from where on, in the words of docs/formats/record.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Self

from rfctl.record.notes import ORIGIN, BadNote, decode64, encode64

_OPENING: Final = "rfctl-epoch-v1"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


class Anywhere(Enum):
    """The place of an epoch that was certified before it was known."""

    ANY = "any"


ANY: Final = Anywhere.ANY


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the root, or the epoch before, says of the key of an epoch.

    Attributes:
        origin: Of the log.
        epoch: Number of the epoch, from 1.
        key: Its Ed25519 public key, 32 bytes.
        start: ``seq`` of the segment record that begins it; ANY when it was signed in advance.
        prev: SHA-256 of the last checkpoint note before it; None when there is none; ANY when signed in advance.
        not_before: It holds from this second on, UTC.
        not_after: It holds to this second, UTC; None for ever.
    """

    origin: str
    epoch: int
    key: bytes
    start: int | Anywhere
    prev: bytes | Anywhere | None
    not_before: datetime
    not_after: datetime | None

    def text(self) -> bytes:
        """What is signed."""
        prev = "none" if self.prev is None else "any" if isinstance(self.prev, Anywhere) else encode64(self.prev)
        not_after = "never" if self.not_after is None else f"{self.not_after:{_TIME}}"
        lines = (
            _OPENING,
            self.origin,
            f"epoch {self.epoch}",
            f"key {encode64(self.key)}",
            f"start {'any' if isinstance(self.start, Anywhere) else self.start}",
            f"prev {prev}",
            f"not-before {self.not_before:{_TIME}}",
            f"not-after {not_after}",
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """The certificate whose text this is.

        Raises:
            BadNote: It is no certificate in the one form that there is.
        """
        lines = text.decode("ascii", "replace").split("\n")
        names = ("epoch ", "key ", "start ", "prev ", "not-before ", "not-after ")
        if len(lines) != 9 or lines[0] != _OPENING or ORIGIN.fullmatch(lines[1]) is None:
            raise BadNote("it is no certificate of an epoch")
        if not all(line.startswith(name) for line, name in zip(lines[2:8], names, strict=True)):
            raise BadNote("the lines of the certificate are not those that they must be")
        epoch, key, start, prev, not_before, not_after = (
            line.removeprefix(name) for line, name in zip(lines[2:8], names, strict=True)
        )
        certificate = cls(
            origin=lines[1],
            epoch=_number(epoch),
            key=decode64(key),
            start=ANY if start == "any" else _number(start),
            prev=None if prev == "none" else ANY if prev == "any" else decode64(prev),
            not_before=_time(not_before),
            not_after=None if not_after == "never" else _time(not_after),
        )
        if certificate.text() != text or len(certificate.key) != 32 or certificate.epoch < 1:
            raise BadNote("the certificate is not written as it must be")
        return certificate


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise BadNote(f"{text[:20]!r} is no number")
    return int(text)


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise BadNote(f"{text[:30]!r} is no time") from None
