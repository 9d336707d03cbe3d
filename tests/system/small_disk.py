"""A disk that a test can fill: a small file system where it may mount one, else a limit on the length of files."""

from __future__ import annotations

import os
import resource
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = "64m"
BLOCK = 4096
"""What fits into the last block of a file on a full disk does fit."""


class SmallDisk:
    """A folder that can be full.

    Attributes:
        folder: On that disk.
        mounted: It has a size of its own.
    """

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self.mounted = mounted
        self._longest: int | None = None

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self, pid: int) -> None:
        """Leave no room, to nobody; without a file system of its own: to no file of this process, nor of a later one
        that calls ``limit``.
        """
        if self.mounted:
            with self._filler.open("wb", buffering=0) as filler:
                block = 16 * BLOCK
                while block:
                    try:
                        filler.write(bytes(block))
                    except OSError:
                        block //= 2
            return
        self._longest = max(path.stat().st_size for path in self.folder.glob("out/*/record/*"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (self._longest, resource.RLIM_INFINITY))

    def limit(self) -> None:
        """In a process that is about to begin: no room there, either."""
        if self._longest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK, resource.RLIM_INFINITY))

    def make_room(self) -> None:
        """For the processes that begin from now on."""
        self._longest = None
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount one at the folder, and take it away at the end."""
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder)
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield SmallDisk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(("umount", "--lazy", folder), check=True)
