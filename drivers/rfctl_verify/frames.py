"""Cuts a segment into the bodies of its records, in bounded memory, and tells a tear from damage."""

from __future__ import annotations

import struct
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BODY_BYTES = 1 << 20
_HEAD = struct.Struct(">II")
_BLOCK_BYTES = 1 << 18
_OPENS_AS = b'{"seq":'
_MAX_PLACES = 1000
"""So many places are looked at for a frame behind a tear: each may cost a check sum of a megabyte."""


class Frames:
    """The frames of one segment.

    Attributes:
        bad: Why the bytes behind the last good frame are none; empty as long as all are good.
        torn: They may be what a crash left.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.bad = ""
        self.torn = False
        self._file = file

    def bodies(self) -> Iterator[bytes]:
        """The body of every good frame up to the end or the first bad one."""
        read, head, crc = self._file.read, _HEAD.unpack_from, zlib.crc32
        buffer, place = read(_BLOCK_BYTES), 0
        while True:
            left = len(buffer) - place
            if left < 8:
                buffer, place = buffer[place:] + read(_BLOCK_BYTES), 0
                left = len(buffer)
                if left < 8:
                    if left:
                        self.bad, self.torn = f"{left} bytes are left, no frame", True
                    return
            length, stated = head(buffer, place)
            if not 0 < length <= MAX_BODY_BYTES:
                self._judge(buffer[place:], f"a frame says that it has {length} bytes", ends_here=False)
                return
            end = place + 8 + length
            if end > len(buffer):
                buffer, place = buffer[place:] + read(length + _BLOCK_BYTES), 0
                end = 8 + length
                if end > len(buffer):
                    self._judge(buffer, f"a frame of {length} bytes is cut short", ends_here=True)
                    return
            body = buffer[place + 8 : end]
            if crc(body) != stated:
                whole = end == len(buffer) and not self._file.peek(1)[:1]  # type: ignore[attr-defined]
                self._judge(buffer[place:], "the check sum of a frame is wrong", ends_here=whole)
                return
            yield body
            place = end

    def _judge(self, rest: bytes, why: str, *, ends_here: bool) -> None:
        self.bad = why
        self.torn = not _frame_behind(rest) if ends_here else self._only_zeros(rest)

    def _only_zeros(self, rest: bytes) -> bool:
        while rest:
            if rest.count(0) != len(rest):
                return False
            rest = self._file.read(_BLOCK_BYTES)
        return True


def _frame_behind(rest: bytes) -> bool:
    """Whether a good frame stands behind the bad one at the beginning: a crash leaves the beginning of one frame."""
    place = 8
    for _ in range(_MAX_PLACES):
        place = rest.find(_OPENS_AS, place + 1)
        if place < 0:
            return False
        length, stated = _HEAD.unpack_from(rest, place - 8)
        if 0 < length <= len(rest) - place and zlib.crc32(rest[place : place + length]) == stated:
            return True
    return False
