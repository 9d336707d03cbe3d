"""Who holds a port: the process behind its lock, or the ones that have it open."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
SHOWN = 60  # characters of a command line


def holder_of(path: str) -> str:
    """Who holds a port, for a message: ``process 4711 (rfctl serve --station bench)``; empty when it cannot be found.

    Only processes that this user may look at are seen.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    pids = _lock_holders(status) or _users(os.path.realpath(path))
    return ", ".join(f"process {pid}{_command(pid)}" for pid in pids)


def _lock_holders(status: os.stat_result) -> list[int]:
    """Processes in the kernel's table of locks, whose lines read ``1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE``."""
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = (PROC / "locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    locks = [line.split() for line in lines]
    return sorted({int(lock[4]) for lock in locks if len(lock) > 5 and lock[5] == file and int(lock[4]) > 0})


def _users(port: str) -> list[int]:
    """Processes that have the port open."""
    found = []
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) == port for link in (folder / "fd").iterdir()):
                found.append(int(folder.name))
        except OSError:  # another user's, or gone by now
            continue
    return sorted(found)


def _command(pid: int) -> str:
    if pid == os.getpid():
        return " (this one)"
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    text = b" ".join(words).decode(errors="replace").strip()
    return f" ({text[:SHOWN]})" if text else ""
