"""Hashes the chunks of a segment one behind the other, in bounded memory and without copying them."""

from __future__ import annotations

from hashlib import sha256
from typing import IO

_BLOCK_BYTES = 1 << 18


class Chunks:
    """The bytes of a chunk file.

    Attributes:
        offset: Where the next chunk begins.
    """

    def __init__(self, file: IO[bytes] | None) -> None:
        """Read from ``file``, unbuffered; None where a segment has none."""
        self.offset = 0
        self._file = file
        self._block = bytearray(_BLOCK_BYTES)
        self._view = memoryview(self._block)
        self._at = self._end = 0

    def next_hash(self, length: int) -> str | None:
        """SHA-256 in hex of the next ``length`` bytes; None when there are fewer."""
        self.offset += length
        at, end = self._at, self._at + length
        if end <= self._end:
            self._at = end
            return sha256(self._view[at:end]).hexdigest()
        found = sha256(self._view[at : self._end])
        length -= self._end - at
        while length:
            if not self._fill():
                return None
            take = min(length, self._end)
            found.update(self._view[:take])
            self._at = take
            length -= take
        return found.hexdigest()

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at == self._end and not self._fill()

    def _fill(self) -> bool:
        self._at = 0
        self._end = self._file.readinto(self._block) if self._file else 0  # type: ignore[attr-defined]
        return self._end > 0
