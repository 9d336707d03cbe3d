"""Reads the files of a log: record by record, the exact bytes, in bounded memory, and where a segment is torn."""

from __future__ import annotations

import os
import re
import stat
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError, RecordError
from rfctl.record.body import BODY, FRAME, MAX_BODY_BYTES, chunk_name, segment_name
from rfctl_verify.strict_json import NotStrictJson, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SEGMENT = re.compile(r"([0-9]{8})\.seg", re.ASCII)


class Corrupt(RecordError):
    """The bytes of a segment are no frames, and not because the end is torn."""


class Entry(NamedTuple):
    """One record's content; of format 0 one line's, which has the first four.

    Attributes:
        seq: Its position, from 0.
        kind: What it says.
        t_ns: Monotonic time of what it tells, ns.
        members: The payload; a float comes back through ``values.decode_float``.
        actor: Who did it.
        wall: Wall time of the append, as it stands there.
        mono_ns: Monotonic time of the append, ns.
        epoch: Number of the epoch.
        segment: Number of the segment that it stands in.
    """

    seq: int
    kind: str
    t_ns: int
    members: dict[str, object]
    actor: str = ""
    wall: str = ""
    mono_ns: int = 0
    epoch: int = 0
    segment: int = 0


def segment_numbers(log: Path) -> list[int]:
    """The numbers of the segments, in order.

    Raises:
        ConfigError: The folder cannot be read.
    """
    try:
        names = [path.name for path in log.iterdir()]
    except OSError as problem:
        raise ConfigError(
            f"cannot be read: {problem.strerror}", where=str(log), remedy="Give the folder of a log."
        ) from None
    return sorted(int(match[1]) for match in map(_SEGMENT.fullmatch, names) if match is not None)


def bodies(log: Path, index: int, *, last: bool) -> Iterator[bytes]:
    """The bodies of a segment's records.

    Args:
        log: The folder.
        index: Number of the segment.
        last: It is the newest one, whose end may be torn: that ends it.

    Raises:
        ConfigError: The file cannot be read.
        Corrupt: A frame is bad, and it is no tear; the records before it have been given.
    """
    path = log / segment_name(index)
    at = 0
    with opened(path) as file:
        length_of_file = os.fstat(file.fileno()).st_size
        while at < length_of_file:
            header = file.read(FRAME.size)
            if len(header) == FRAME.size:
                length, crc = FRAME.unpack(header)
                if 0 < length <= MAX_BODY_BYTES:
                    body = file.read(length)
                    if len(body) == length and zlib.crc32(body) == crc:
                        yield body
                        at += FRAME.size + length
                        continue
                    torn = at + FRAME.size + length >= length_of_file
                else:
                    file.seek(at)
                    torn = _only_zeros(file)
            else:
                torn = True
            if last and torn:
                return
            raise Corrupt(
                f"the frame at byte {at} is bad and is not a torn end",
                where=str(path),
                remedy="The log is left as it is: verify it, and keep it.",
            )


def entry_of(body: bytes, segment: int, where: str) -> Entry:
    """The content of one record.

    Raises:
        RecordError: It is not one of a log.
    """
    match = BODY.fullmatch(body)
    if match is None:
        raise RecordError("a record is not written as it must be", where=where, remedy="Verify the log.")
    seq, epoch, _, mono, _, wall, _, kind, actor, _, payload, _ = match.groups()
    try:
        members = parse(payload)
        spoken = parse(b'{"actor":"' + actor + b'"}')["actor"]
    except NotStrictJson as problem:
        raise RecordError(f"record {int(seq)}: {problem}", where=where, remedy="Verify the log.") from None
    t_ns = members.pop("t_ns", None)
    if t_ns is not None and not (isinstance(t_ns, str) and t_ns.lstrip("-").isdecimal()):
        raise RecordError(f"record {int(seq)}: its time is no number", where=where, remedy="Verify the log.")
    return Entry(
        seq=int(seq),
        epoch=int(epoch),
        kind=kind.decode("ascii"),
        actor=str(spoken),
        wall=wall.decode("ascii"),
        mono_ns=int(mono),
        t_ns=int(mono) if t_ns is None else int(t_ns),
        members=members,
        segment=segment,
    )


def entries(log: Path, only: range | None = None) -> Iterator[Entry]:
    """The content of every record; a torn end is left out. This does not verify: it believes what it reads.

    Args:
        log: The folder.
        only: Numbers of the segments to read; None for all.

    Raises:
        ConfigError: The folder cannot be read, or holds no segment.
        RecordError: A record is not one of a log.
    """
    numbers = segment_numbers(log)
    if not numbers:
        raise ConfigError("holds no segment of a log", where=str(log), remedy="Give the folder of a log.")
    for index in numbers if only is None else only:
        for body in bodies(log, index, last=index == numbers[-1]):
            yield entry_of(body, index, str(log / segment_name(index)))


def chunk_bytes(log: Path, entry: Entry) -> bytes:
    """The bytes that a ``chunk`` record covers.

    Raises:
        ConfigError: The chunk file cannot be read.
        RecordError: It does not hold them, or the record does not say where.
    """
    path = log / chunk_name(entry.segment)
    offset, length = entry.members.get("offset"), entry.members.get("bytes")
    if not (isinstance(offset, int) and isinstance(length, int)):
        raise RecordError(f"record {entry.seq} does not say which bytes", where=str(path), remedy="Verify the log.")
    with opened(path) as file:
        file.seek(offset)
        data = file.read(length)
    if len(data) != length:
        raise RecordError(
            f"it ends before byte {offset + length}, which record {entry.seq} covers",
            where=str(path),
            remedy="Verify the log.",
        )
    return data


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A regular file for reading.

    Raises:
        ConfigError: It is none, or cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as problem:
        raise _unreadable(path, problem) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError("is no regular file", where=str(path), remedy="Give the folder of a log.")
    with os.fdopen(descriptor, "rb", buffering=1 << 16) as file:
        try:
            yield file
        except OSError as problem:
            raise _unreadable(path, problem) from None


def _only_zeros(file: IO[bytes]) -> bool:
    while block := file.read(1 << 16):
        if block.count(0) != len(block):
            return False
    return True


def _unreadable(path: Path, problem: OSError | ValueError) -> ConfigError:
    reason = problem.strerror if isinstance(problem, OSError) else str(problem)
    return ConfigError(f"cannot be read: {reason}", where=str(path), remedy="Check path and permissions.")
