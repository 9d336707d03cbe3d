"""What the writer of a log asks of a disk, and nothing else, so that a test can put another disk there."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Disk:
    """The machine's file system. Every method raises OSError when the disk refuses."""

    def create(self, path: Path) -> int:
        """A new, empty file, open for appending, locked for this process. Returns: its descriptor."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Append all of the data in one call. Fewer bytes than given are an error: the disk is likely full."""
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, f"wrote {written} of {len(data)} bytes, the disk is likely full")

    def sync(self, descriptor: int) -> None:
        """Return when everything written to the file is on the disk."""
        os.fdatasync(descriptor)

    def close(self, descriptor: int) -> None:
        """Give the descriptor up."""
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Put a finished file in its place, on the disk when this returns."""
        old.replace(new)
        self.sync_folder(new.parent)

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in the folder are on the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Take a file away, if it is there."""
        path.unlink(missing_ok=True)

    def freeze(self, path: Path) -> None:
        """Make a finished file read-only."""
        path.chmod(0o440)

    def keep(self, path: Path, data: bytes) -> None:
        """Put a small file in place of the one before; it may be lost with the power, never half written."""
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.write_bytes(data)
        unfinished.replace(path)

    def reserve(self, path: Path, length: int) -> None:
        """Take space that nobody else can have, to be given back when the disk is full."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, length)
        finally:
            os.close(descriptor)
