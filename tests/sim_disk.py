"""A disk that remembers which of what was written had been stored, and what may be left of it when the power goes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal, NamedTuple

from rfctl.record.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BLOCK = 512

Left = Literal["stored", "all", "torn", "reordered", "no names"]
"""What is left of what was not stored: nothing; all; the beginning; some blocks, zeros before them; all, without the
names that their folder had not stored."""


class Done(NamedTuple):
    """One thing done to the disk, or (``acknowledged``) said of it."""

    what: Literal["create", "write", "sync", "rename", "sync_folder", "remove", "keep", "acknowledged"]
    path: Path | None = None
    file: int = 0
    data: bytes = b""
    to: Path | None = None
    number: int = 0


class SimDisk(Disk):
    """The machine's file system, without waiting for its disk, and a journal of all that is asked of it."""

    def __init__(self) -> None:
        self.journal: list[Done] = []
        self._files: dict[int, int] = {}
        self._next = 0

    def acknowledged(self, number: int) -> None:
        """Somebody was told that this is on the disk."""
        self.journal.append(Done("acknowledged", number=number))

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._next += 1
        self._files[descriptor] = self._next
        self.journal.append(Done("create", path, self._next))
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        super().write(descriptor, data)
        self.journal.append(Done("write", file=self._files[descriptor], data=data))

    def sync(self, descriptor: int) -> None:
        self.journal.append(Done("sync", file=self._files[descriptor]))

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)
        self.journal.append(Done("rename", old, to=new))
        self.sync_folder(new.parent)

    def sync_folder(self, folder: Path) -> None:
        self.journal.append(Done("sync_folder", folder))

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.journal.append(Done("remove", path))

    def keep(self, path: Path, data: bytes) -> None:
        super().keep(path, data)
        self.journal.append(Done("keep", path, data=data))

    def reserve(self, path: Path, length: int) -> None:
        """It holds nothing that could be lost."""


def after_a_cut(journal: Sequence[Done], left: Left, chance: random.Random) -> dict[Path, bytes]:
    """The files that are found when the power went after the last of ``journal``."""
    stored: dict[int, bytes] = {}
    waiting: dict[int, bytes] = {}
    names: dict[Path, int | bytes] = {}
    names_stored: dict[Path, int | bytes] = {}
    for done in journal:
        match done.what:
            case "create":
                assert done.path is not None
                names[done.path], stored[done.file], waiting[done.file] = done.file, b"", b""
            case "write":
                waiting[done.file] += done.data
            case "sync":
                stored[done.file] += waiting[done.file]
                waiting[done.file] = b""
            case "rename":
                assert done.path is not None
                assert done.to is not None
                names[done.to] = names.pop(done.path)
            case "sync_folder":
                names_stored = {path: file for path, file in names_stored.items() if path.parent != done.path}
                names_stored |= {path: file for path, file in names.items() if path.parent == done.path}
            case "remove":
                assert done.path is not None
                names.pop(done.path, None)
            case "keep":
                assert done.path is not None
                names[done.path] = done.data if left == "all" else chance.choice([b"", done.data])
            case "acknowledged":
                pass
    found = names_stored if left in {"stored", "no names"} else names
    return {
        path: file if isinstance(file, bytes) else stored[file] + _survivor(waiting[file], left, chance)
        for path, file in found.items()
    }


def _survivor(waiting: bytes, left: Left, chance: random.Random) -> bytes:
    match left:
        case "stored":
            return b""
        case "all" | "no names":
            return waiting
        case "torn":
            return waiting[: chance.randint(0, len(waiting))]
        case "reordered":
            blocks = [waiting[at : at + BLOCK] for at in range(0, len(waiting), BLOCK)]
            return b"".join(chance.choice([block, bytes(len(block))]) for block in blocks)
