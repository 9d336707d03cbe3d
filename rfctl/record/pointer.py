"""The state folder of a station: one process owns it, and a small file in it names the record that is open.

After a crash or a power cut the file is still there, and the next start knows which record ended uncleanly.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from rfctl.errors import ConfigError
from rfctl_verify.strict_json import NotStrictJson, parse

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

POINTER = "open-record.json"
LOCK = "station.lock"


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record that has been opened and not sealed.

    Attributes:
        path: Its file, absolute.
        boot_id: The boot in which it was opened; another one now means that the machine went down.
        pid: The process that opened it.
    """

    path: str
    boot_id: str
    pid: int


def left_open(state_dir: Path) -> OpenRecord | None:
    """The record that an earlier process left open, or None.

    Raises:
        ConfigError: The pointer is there and cannot be read.
    """
    pointer = state_dir / POINTER
    try:
        members = parse(pointer.read_bytes().strip())
    except FileNotFoundError:
        return None
    except (OSError, NotStrictJson) as problem:
        raise _unreadable(pointer, str(problem)) from None
    path, boot, pid = (members.get(name) for name in ("path", "boot_id", "pid"))
    if not (len(members) == 3 and isinstance(path, str) and isinstance(boot, str) and type(pid) is int):
        raise _unreadable(pointer, f"it holds {', '.join(members)[:80]}, not path, boot_id and pid")
    return OpenRecord(path, boot, pid)


class StateFolder:
    """The right of this process to be the station. Held until ``release``, or until the process is gone.

    Its methods touch the disk on the caller's thread: they are for the time before the first and after the last
    energy of a procedure.
    """

    def __init__(self, state_dir: Path, lock: int) -> None:
        """Own ``state_dir`` by the locked descriptor ``lock``. Use ``claim``."""
        self.state_dir = state_dir
        self._lock = lock

    @classmethod
    def claim(cls, state_dir: Path) -> Self:
        """Own the folder; it is made if it is not there.

        Raises:
            ConfigError: Another process owns it (its pid is named), or the folder cannot be used.
        """
        lock_file = state_dir / LOCK
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
            lock = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as problem:
            raise ConfigError(
                f"cannot be used: {problem.strerror}", where=str(state_dir), remedy="Give the station a folder."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
            os.close(lock)
            raise ConfigError(
                f"process {holder or 'unknown'} runs this station",
                where=str(state_dir),
                remedy="Stop that process, or give this station a state folder of its own.",
            ) from None
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as problem:
            os.close(lock)
            raise ConfigError(
                f"takes no byte: {problem.strerror}", where=str(lock_file), remedy="Make room on its disk."
            ) from None
        return cls(state_dir.resolve(), lock)

    def point_to(self, record: OpenRecord) -> None:
        """Name the open record, durably, before anything is energised.

        Call it once the record's first line is on disk: that line says what an earlier session left open, which this
        call forgets.

        Raises:
            OSError: The disk refused.
        """
        pointer = self.state_dir / POINTER
        unfinished = pointer.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(json.dumps(asdict(record)).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(pointer)
        self._sync_folder()

    def clear(self) -> None:
        """Forget the open record: it is sealed, or its unclean end has been recorded in a later one.

        Raises:
            OSError: The disk refused.
        """
        with suppress(FileNotFoundError):
            (self.state_dir / POINTER).unlink()
            self._sync_folder()

    def release(self) -> None:
        """Give the folder up."""
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _sync_folder(self) -> None:
        folder = os.open(self.state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unreadable(pointer: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"cannot be read: {reason}",
        where=str(pointer),
        remedy="An earlier procedure may have ended uncleanly: look at its record, then delete this file.",
    )
