"""The off of last resort: a way onto the line of a link for a thread that must not wait for the event loop.

The thread shares two things with the link: a second descriptor of the same line, and the cached off frames. It takes no
lock that the loop could hold. The descriptor lies in a slot and is taken out by whoever uses or closes it, which is one
atomic step, so it is never written to after it was closed.

**Interleaving.** Two writers on one line are one too many, so the thread asks the loop first and writes only when the
loop did not answer (rfctl.station.stop_desk). From then on the line is taken, for good: a loop that comes back to life
finds that out before its next byte, gives the link up, and goes on by a new connection, whose first act is off. A frame
of which the loop had sent only a part is completed before the off, so that the off is read as a frame of its own. On
TCP the operating system keeps each write in one piece; on a serial line every frame stands between two silent gaps.
"""

from __future__ import annotations

import os
import select
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S, RealClock

if TYPE_CHECKING:
    from collections.abc import Callable

WRITE_NS = NS_PER_S // 5
"""Longest wait for a line that takes no bytes; off cannot get through it."""


class StopLine:
    """The second way onto the line of one link.

    Attributes:
        taken: A thread has written to the line; the link must not touch it any more. Never unset.
    """

    def __init__(
        self, descriptor: int, frames: tuple[bytes, ...], begun: Callable[[], bytes], gap_s: float = 0.0
    ) -> None:
        """Share a line.

        Args:
            descriptor: The link's; duplicated here.
            frames: The off frames as they go on the wire.
            begun: What is left of a frame of which a part has been sent.
            gap_s: Silence on the line that separates two frames, s; 0 where frames need none.
        """
        self.taken = False
        self._frames = frames
        self._begun = begun
        self._gap_s = gap_s
        self._retired = False
        self._slot = deque([os.dup(descriptor)])

    def off(self) -> bool:
        """Take the line and send every off frame. In any thread; never raises.

        Returns:
            Every byte was handed to the operating system.
        """
        try:
            descriptor = self._slot.pop()
        except IndexError:
            return False
        try:
            first, self.taken = not self.taken, True
            pieces = [*self._frames]
            if first and (begun := self._begun()):
                pieces.insert(0, begun)
            if not self._gap_s:
                pieces = [b"".join(pieces)]
            sent = [self._write(descriptor, piece) for piece in pieces]  # every piece is tried
            return all(sent)
        finally:
            self._put_back(descriptor)

    def another(self) -> int | None:
        """A descriptor of the taken line that the caller owns, to measure the output by; None when it was closed."""
        try:
            descriptor = self._slot.pop()
        except IndexError:
            return None
        try:
            return os.dup(descriptor)
        finally:
            self._put_back(descriptor)

    def retire(self) -> None:
        """The link has ended. A thread that uses the descriptor now closes it afterwards."""
        self._retired = True
        self._close_slot()

    def _put_back(self, descriptor: int) -> None:
        self._slot.append(descriptor)
        if self._retired:
            self._close_slot()

    def _close_slot(self) -> None:
        try:
            descriptor = self._slot.pop()
        except IndexError:
            return
        os.close(descriptor)

    def _write(self, descriptor: int, data: bytes) -> bool:
        clock = RealClock()
        give_up_ns = clock.monotonic_ns() + WRITE_NS
        waiting = select.poll()
        waiting.register(descriptor, select.POLLOUT)
        if self._gap_s:
            select.select((), (), (), self._gap_s)
        try:
            while data:
                left_ns = give_up_ns - clock.monotonic_ns()
                if left_ns <= 0 or not waiting.poll(left_ns / 1e6):
                    return False
                with suppress(BlockingIOError, InterruptedError):
                    data = data[os.write(descriptor, data) :]
        except OSError:
            return False
        return True
