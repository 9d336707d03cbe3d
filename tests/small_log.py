"""A log without its files: leaf hashes, epochs and checkpoints, signed by real keys, and forked at will."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rfctl.record.certificate import ANY
from rfctl.record.epochs import Epoch, Signer, generate
from rfctl.record.tree import leaf_hash, root_of
from rfctl_verify.note import parse_checkpoint, parse_note

if TYPE_CHECKING:
    from pathlib import Path

NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class SmallLog:
    """Grows by made-up records."""

    root: Signer
    epoch: Epoch
    certificates: list[bytes]
    leaves: list[bytes] = field(default_factory=list)

    @classmethod
    def begin(cls, station: str = "bench-1") -> Self:
        root = Signer(f"rfctl/{station}-test", generate())
        epoch = Epoch.begin(root, 1, start=0, prev=None, not_before=NOT_BEFORE)
        return cls(root, epoch, [epoch.note])

    def grow(self, count: int, history: str = "") -> Self:
        for _ in range(count):
            self.leaves.append(leaf_hash(f"{history}record {len(self.leaves)}".encode()))
        return self

    def fork(self) -> SmallLog:
        """The same log with the same keys, to go on another way."""
        return SmallLog(self.root, self.epoch, list(self.certificates), list(self.leaves))

    def next_epoch(self, *, chained: bool = False) -> None:
        signer = self.epoch.signer() if chained else self.root
        place = {"start": len(self.leaves), "prev": hashlib.sha256(self.checkpoint()).digest()} if chained else {}
        place = place or {"start": ANY, "prev": ANY}
        number = self.epoch.certificate.epoch + 1
        self.epoch = Epoch.begin(signer, number, not_before=NOT_BEFORE, **place)  # type: ignore[arg-type]
        self.certificates.append(self.epoch.note)

    def checkpoint(self) -> bytes:
        lines = [
            self.root.origin,
            str(len(self.leaves)),
            b64encode(root_of(self.leaves)).decode("ascii"),
            b64encode(hashlib.sha256(b"up to the note").digest()).decode("ascii"),
        ]
        return self.epoch.sign("".join(f"{line}\n" for line in lines).encode("ascii"))


def heads_in(path: Path) -> list[bytes]:
    """The notes in a file of heads."""
    if not path.exists():
        return []
    return [b64decode(line, validate=True) for line in path.read_bytes().split(b"\n")[:-1]]


def size_of(note: bytes) -> int:
    return parse_checkpoint(parse_note(note).text).size
