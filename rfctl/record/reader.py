"""Reads a record of format 0 line by line: the exact bytes, in bounded memory, whatever the file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import RecordError
from rfctl.record.layout import LINE_OPENING, MAX_LINE_BYTES
from rfctl.record.segments import Entry, opened
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


def raw_lines(path: Path) -> Iterator[bytes]:
    """The exact bytes of every line, newline included; only the last line of a file may lack it.

    Raises:
        ConfigError: The path is no readable regular file.
        LineTooLong: A line has more than ``MAX_LINE_BYTES`` bytes; the lines before it have been given.
    """
    with opened(path) as file:
        while raw := file.readline(MAX_LINE_BYTES):
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
