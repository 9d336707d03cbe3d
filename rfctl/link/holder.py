"""Who holds a port: the process behind its lock, or the ones that have it open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
SHOWN = 60  # characters of a command line


class Holder(NamedTuple):
    """A process that is in the way.

    Attributes:
        pid: Its number.
        command: Its command line, shortened; empty when it cannot be seen.
        locked: It holds the lock of the port. Otherwise it has the port open.
    """

    pid: int
    command: str
    locked: bool


def holder_of(path: str) -> str:
    """Who holds a port, for a message: ``process 4711 (rfctl serve --station bench)``; empty when nobody is found."""
    return ", ".join(_named(holder) for holder in holders_of(path))


def holders_of(path: str, proc: Path = PROC) -> tuple[Holder, ...]:
    """The processes that hold the lock of a port; without a lock, those that have it open.

    Only processes that this user may look at are seen.

    Args:
        path: Of the port.
        proc: Where the process file system is.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    if locking := _lock_holders(status, proc):
        return tuple(Holder(pid, _command(pid, proc), locked=True) for pid in locking)
    return tuple(Holder(pid, _command(pid, proc), locked=False) for pid in _users(os.path.realpath(path), proc))


def _lock_holders(status: os.stat_result, proc: Path) -> list[int]:
    """Processes in the kernel's table of locks, whose lines read ``1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE``."""
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = (proc / "locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    locks = [line.split() for line in lines]
    return sorted({int(lock[4]) for lock in locks if len(lock) > 5 and lock[5] == file and int(lock[4]) > 0})


def _users(port: str, proc: Path) -> list[int]:
    """Processes that have the port open."""
    found = []
    try:
        folders = [folder for folder in proc.iterdir() if folder.name.isdigit()]
    except OSError:  # no such file system
        return []
    for folder in folders:
        try:
            if any(str(link.readlink()) == port for link in (folder / "fd").iterdir()):
                found.append(int(folder.name))
        except OSError:  # another user's, or gone by now
            continue
    return sorted(found)


def _command(pid: int, proc: Path) -> str:
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()[:SHOWN]


def _named(holder: Holder) -> str:
    if holder.pid == os.getpid():
        return f"process {holder.pid} (this one)"
    return f"process {holder.pid}{f' ({holder.command})' if holder.command else ''}"
