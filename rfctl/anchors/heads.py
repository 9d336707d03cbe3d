"""Files of heads, append only: a line of base64 for each signed note, as ``rfctl record verify --head`` reads them.

One series of files an origin; a new one is begun when the last is long. What is appended is on disk when ``append``
returns. A line without its end was never acknowledged and is cut off when the series is opened again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from base64 import b64encode
from typing import IO, TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_verify.note import MAX_NOTE_BYTES, BadNote, canonical_base64

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_LINES = 50_000
"""Half of what a verifier takes in one file; a month of heads, one a minute."""
_LONGEST_LINE = 2 * MAX_NOTE_BYTES
_NUMBERED = re.compile(r"(.+)\.([0-9]{4})\.heads", re.ASCII)


def series_name(origin: str) -> str:
    """The origin as the beginning of a file's name; no two have the same.

    One that is a name already, but for the slash, keeps it: ``rfctl/bench-1-UUID`` is ``bench-1-UUID``. Of any other,
    what a path could misread becomes ``_``, and a hash and ``_`` end it.
    """
    plain = origin.removeprefix("rfctl/")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}(?<!_)", plain) and plain != origin:
        return plain
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", plain)[:100]
    return f"log-{safe}-{hashlib.sha256(origin.encode()).hexdigest()[:16]}_"


class HeadSeries:
    """The heads of one origin. One process writes, held by a lock on the newest file.

    Attributes:
        last: The newest note; empty while there is none.
    """

    last: bytes

    def __init__(self, folder: Path, origin: str) -> None:
        """Open the series, which may be empty.

        Raises:
            ConfigError: A file cannot be used, another process writes it, or a line in it is no note.
        """
        self._folder = folder
        self._name = series_name(origin)
        self.last = b""
        numbers = self._numbers()
        self._number = numbers[-1] if numbers else 1
        self._file = self._open(self._number)
        try:
            self._lines = self._recover()
            if not self._lines and len(numbers) > 1:
                with self._path(numbers[-2]).open("rb") as before:
                    self.last = _note(_last_line(before), self._path(numbers[-2]))
        except BaseException:
            self._file.close()
            raise

    @property
    def path(self) -> Path:
        """The file that is written now."""
        return self._path(self._number)

    def append(self, note: bytes) -> None:
        """Add a note; when this returns, it is on disk.

        Raises:
            ConfigError: The disk refused. The series cannot be written any more.
        """
        if self._lines >= MOST_LINES:
            self._file.close()
            self._number += 1
            self._file = self._open(self._number)
            self._lines = 0
        try:
            self._file.write(_line(note))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            self._file.close()
            raise self._unusable(self.path, problem) from None
        except ValueError:  # closed since it failed
            raise ConfigError("has failed before", where=str(self.path), remedy="Start again.") from None
        self._lines += 1
        self.last = note

    def notes(self) -> Iterator[bytes]:
        """Every note, the oldest first.

        Raises:
            ConfigError: A line is no note.
        """
        for number in self._numbers():
            path = self._path(number)
            with path.open("rb") as file:
                while line := file.readline(_LONGEST_LINE):
                    yield _note(line, path)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def _recover(self) -> int:
        """Count the lines, take the last one, and cut off one that has no end."""
        count = good = 0
        newest = b""
        self._file.seek(0)
        while line := self._file.readline(_LONGEST_LINE):
            if not line.endswith(b"\n"):
                if len(line) == _LONGEST_LINE:
                    raise ConfigError(f"line {count + 1} is too long", where=str(self.path), remedy="Restore the file.")
                self._file.truncate(good)
                break
            count, good, newest = count + 1, good + len(line), line
        if newest:
            self.last = _note(newest, self.path)
        return count

    def _open(self, number: int) -> IO[bytes]:
        path = self._path(number)
        try:
            new = not path.exists()
            file = path.open("a+b")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if new:
                    _sync_folder(self._folder)
            except BaseException:
                file.close()
                raise
        except BlockingIOError:
            raise ConfigError("another process writes it", where=str(path), remedy="End that one.") from None
        except OSError as problem:
            raise self._unusable(path, problem) from None
        return file

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number:04d}.heads"

    def _numbers(self) -> list[int]:
        matches = (_NUMBERED.fullmatch(path.name) for path in self._folder.glob("*.heads"))
        return sorted(int(match[2]) for match in matches if match is not None and match[1] == self._name)

    @staticmethod
    def _unusable(path: Path, problem: OSError) -> ConfigError:
        return ConfigError(
            f"cannot be used: {problem.strerror}", where=str(path), remedy="Check the folder and the disk."
        )


def _line(note: bytes) -> bytes:
    return b64encode(note) + b"\n"


def _note(line: bytes, path: Path) -> bytes:
    try:
        return canonical_base64(line.decode("ascii").removesuffix("\n"))
    except (BadNote, UnicodeDecodeError):
        raise ConfigError("a line is no note", where=str(path), remedy="Restore the file.") from None


def _last_line(file: IO[bytes]) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE))
    return file.read().splitlines(keepends=True)[-1]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
