"""Reads a record line by line: the exact bytes, in bounded memory, whatever the file holds."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError, RecordError
from rfctl.record.layout import LINE_OPENING, MAX_LINE_BYTES
from rfctl_verify.strict_json import NotStrictJson, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LineTooLong(RecordError):
    """A line is longer than the format allows."""


class Line(NamedTuple):
    """One line as stored.

    Attributes:
        raw: Its bytes, newline included.
        complete: It ends in a newline; only the last line of a file may lack it.
    """

    raw: bytes
    complete: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One line's content.

    Attributes:
        seq: Its number, from 0.
        kind: What it says.
        t_ns: Monotonic time, ns.
        members: The payload; a float comes back through ``values.decode_float``.
    """

    seq: int
    kind: str
    t_ns: int
    members: dict[str, object]


def raw_lines(path: Path) -> Iterator[bytes]:
    """The exact bytes of every line, newline included; only the last line of a file may lack it.

    Raises:
        ConfigError: The path is no readable regular file.
        LineTooLong: A line has more than ``MAX_LINE_BYTES`` bytes; the lines before it have been given.
    """
    with _opened(path) as file:
        read = file.readline
        while True:
            try:
                raw = read(MAX_LINE_BYTES)
            except OSError as problem:
                raise _unreadable(path, problem) from None
            if not raw:
                return
            if len(raw) == MAX_LINE_BYTES and raw[-1:] != b"\n":
                raise LineTooLong(f"a line is longer than {MAX_LINE_BYTES} bytes", where=str(path))
            yield raw


def read_lines(path: Path) -> Iterator[Line]:
    """Every line of the file, and whether it is whole.

    Raises:
        ConfigError, LineTooLong: As ``raw_lines``.
    """
    for raw in raw_lines(path):
        yield Line(raw, raw.endswith(b"\n"))


def read_entries(path: Path) -> Iterator[Entry]:
    """The content of every complete line, the seal's too; a torn last line is left out.

    This does not verify: it believes what it reads.

    Raises:
        ConfigError: The path is no readable regular file.
        RecordError: A line is not one of a record.
    """
    for number, line in enumerate(read_lines(path)):
        if not line.complete:
            return
        try:
            if LINE_OPENING.match(line.raw) is None:
                raise NotStrictJson("it does not open as a line of a record does")
            members = parse(line.raw[:-1])
        except NotStrictJson as problem:
            raise RecordError(f"line {number}: {problem}", where=str(path), remedy="Verify the record.") from None
        seq, _, kind, t_ns = (members.pop(name) for name in ("seq", "prev", "kind", "t"))
        if not (isinstance(seq, int) and isinstance(kind, str) and type(t_ns) is int):
            raise RecordError(f"line {number}: its time is no integer", where=str(path), remedy="Verify the record.")
        yield Entry(seq, kind, t_ns, members)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as problem:
        raise _unreadable(path, problem) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError("is no regular file", where=str(path), remedy="Give the record's file.")
    with os.fdopen(descriptor, "rb", buffering=1 << 16) as file:
        yield file


def _unreadable(path: Path, problem: OSError | ValueError) -> ConfigError:
    reason = problem.strerror if isinstance(problem, OSError) else str(problem)
    return ConfigError(f"cannot be read: {reason}", where=str(path), remedy="Check path and permissions.")
