"""Signatures of an epoch's checkpoints. One that holds covers all records before it, and the checkpoints among them."""

from __future__ import annotations

from rfctl_verify.problem import Problem, modified
from rfctl_verify.public_key import holds

_AT_MOST = 1024
"""So many wait to be checked, to bound memory."""


class Signatures:
    """The checkpoints of one epoch whose signature no later one has made superfluous."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, bytes, bytes, bytes]] = []
        self._bad: int | None = None

    def add(self, seq: int, key: bytes, signature: bytes, text: bytes) -> None:
        """One more, in record ``seq``."""
        self._waiting.append((seq, key, signature, text))
        if len(self._waiting) == _AT_MOST:
            self._check()

    def problem(self) -> Problem | None:
        """The first one that does not hold and has none behind it that does. Asked at the end of an epoch."""
        self._check()
        if self._bad is None:
            return None
        return modified(self._bad, f"the signature of the checkpoint in record {self._bad} does not hold")

    def _check(self) -> None:
        for place in reversed(range(len(self._waiting))):
            _, *signed = self._waiting[place]
            if holds(*signed):
                self._bad = None
                del self._waiting[: place + 1]
                break
        if self._waiting and self._bad is None:
            self._bad = self._waiting[0][0]
        self._waiting.clear()
