"""A wire between a link and a generator that can be made to lose, delay and double what a generator answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from rfctl.link.port import open_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rfctl.clock import Clock

CHUNK = 65536


def lost(_reply: bytes) -> list[tuple[float, bytes]]:
    """Nothing arrives."""
    return []


def doubled(reply: bytes) -> list[tuple[float, bytes]]:
    """Everything arrives twice, the second time 5 ms later."""
    return [(0.0, reply), (0.005, reply)]


def late(seconds: float) -> Callable[[bytes], list[tuple[float, bytes]]]:
    """Everything arrives so much later, s."""
    return lambda reply: [(seconds, reply)]


class Wire:
    """Carries bytes between a descriptor for a link and the address of a generator, in the running loop.

    Attributes:
        descriptor: For the link, which closes it.
        requests: What went to the generator, one element for what was written at once.
        disturb: Makes of what the generator sent what arrives: pieces, each with its delay in s. None for no change.
    """

    descriptor: int
    requests: list[bytes]
    disturb: Callable[[bytes], Sequence[tuple[float, bytes]]] | None

    def __init__(self, far: int) -> None:
        """Take over a connection to the generator."""
        near, mine = socket.socketpair()
        near.setblocking(False)  # noqa: FBT003 - the way of the library
        mine.setblocking(False)  # noqa: FBT003
        self.descriptor = near.detach()
        self.requests = []
        self.disturb = None
        self._loop = asyncio.get_running_loop()
        self._near, self._far = mine.detach(), far
        self._timers: set[asyncio.TimerHandle] = set()
        self._loop.add_reader(self._near, self._to_generator)
        self._loop.add_reader(self._far, self._to_link)

    @classmethod
    async def to(cls, address: str, clock: Clock) -> Wire:
        """Connect to a generator."""
        return cls(await open_port(address, clock))

    def cut(self) -> None:
        """Both sides see the connection end. Idempotent."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for descriptor in {self._near, self._far} - {-1}:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        self._near = self._far = -1

    def _to_generator(self) -> None:
        request = self._read(self._near)
        if request:
            self.requests.append(request)
            _write(self._far, request)

    def _to_link(self) -> None:
        reply = self._read(self._far)
        if not reply:
            return
        if self.disturb is None:
            _write(self._near, reply)
            return
        for delay_s, piece in self.disturb(reply):
            if delay_s:
                self._later(delay_s, piece)
            else:
                _write(self._near, piece)

    def _later(self, delay_s: float, piece: bytes) -> None:
        def arrive() -> None:
            self._timers.discard(timer)
            _write(self._near, piece)

        timer = self._loop.call_later(delay_s, arrive)
        self._timers.add(timer)

    def _read(self, descriptor: int) -> bytes:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.cut()
        return data


def _write(descriptor: int, data: bytes) -> None:
    """All at once: both ends hold far more than a conversation of one request at a time."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the reader of that end sees it, too
        os.write(descriptor, data)
