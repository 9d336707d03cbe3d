"""What leaves over a line: frames, what the operating system has not taken of them yet, and every off at once."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl.link.stop_line import StopLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl.link.framing import Framing
    from rfctl.link.trace import Trace


class Outgoing:
    """The writing half of a link. It shares the line with a thread that stops in place of a loop that hangs.

    Attributes:
        tail: What the operating system has not taken yet; bytes of one request, or those and every off frame.
        ends_with_offs: Every off frame is in the tail already.
        held_back: A cut write waits in the tail, and only an off may complete it.
        sent_ns: When the last byte written is off the wire, on the station's monotonic clock.
    """

    def __init__(
        self, descriptor: int, framing: Framing, clock: Clock, trace: Trace, end: Callable[[str], None]
    ) -> None:
        """Write to a connected, non-blocking descriptor, on the running loop.

        Args:
            descriptor: The link's.
            framing: How requests travel.
            clock: The station's clock.
            trace: Told of every frame before it is written.
            end: Told why nothing can be written any more.
        """
        self.tail = b""
        self.ends_with_offs = False
        self.held_back = False
        self.sent_ns = 0
        self._begun = False  # part of the tail's first frame has been taken
        self._descriptor = descriptor
        self._framing = framing
        self._clock = clock
        self._trace = trace
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._offs: tuple[bytes, ...] = ()
        self._stop_line: StopLine | None = None

    def load(self, offs: tuple[bytes, ...]) -> None:
        """Set the frames that turn everything off, in the order in which they leave."""
        self._offs = offs

    def stop_line(self) -> StopLine:
        """The way onto this line for a thread that stops when the loop hangs; one for a link."""
        if self._stop_line is None:
            longest = max(map(len, self._offs), default=0)
            spacing_ns = self._framing.gap_ns and self._framing.gap_ns + self._wire_ns(longest)
            self._stop_line = StopLine(self._descriptor, self._offs, self._cut_frame, spacing_ns / NS_PER_S)
        return self._stop_line

    def lost(self) -> bool:
        """A thread has stopped everything in place of the loop: this link must not touch the line any more."""
        if self._stop_line is None or not self._stop_line.taken:
            return False
        self._end("stopped by the STOP thread, because the event loop did not answer")
        return True

    def quiet_ns(self, received_ns: int) -> int:
        """When the gap since the last byte, sent or received, is over."""
        return max(received_ns, self.sent_ns) + self._framing.gap_ns

    def send(self, frame: bytes, now_ns: int) -> None:
        """Hand a request over, as far as the operating system takes it; the rest follows when it takes more."""
        if self.lost():
            return
        self._trace.note(now_ns, "tx", frame)
        try:
            sent = os.write(self._descriptor, frame)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as problem:
            self._end(f"writing failed: {problem.strerror}")
            return
        if sent < len(frame):
            self.tail = frame[sent:]
            self._begun = sent > 0
            self._loop.add_writer(self._descriptor, self._flush)
        self.sent_ns = now_ns + self._wire_ns(sent)

    def send_offs(self, received_ns: int) -> bool:
        """Hand every off frame over behind what is left of a frame that was cut.

        Args:
            received_ns: When bytes last came.

        Returns:
            Every byte was taken. False: they wait in the tail, or the connection is gone.
        """
        if not self.ends_with_offs:
            frames = b"".join(self._offs)
            self._trace.note(self._clock.monotonic_ns(), "tx", frames)
            self.held_back = False
            if self._framing.gap_ns:
                return self._flush_spaced(received_ns)
            self.tail += frames
            self.ends_with_offs = True
        return self._flush()

    def drop_unbegun(self) -> bool:
        """A request of which nothing has left never leaves. Returns: there was one."""
        if not self.tail or self._begun:
            return False
        self.tail = b""
        self._loop.remove_writer(self._descriptor)
        return True

    def hold_back(self) -> None:
        """What is left of a write leaves no more by itself: the permits it was judged under may not hold any more."""
        self.held_back = True
        self._loop.remove_writer(self._descriptor)

    def retire(self) -> None:
        """The descriptor is about to be closed."""
        self._loop.remove_writer(self._descriptor)
        if self._stop_line is not None:
            self._stop_line.retire()

    def _cut_frame(self) -> bytes:
        """What is left of a frame of which a part has been sent."""
        return self.tail if self._begun else b""

    def _flush(self) -> bool:
        """Hand the tail to the operating system. Returns: all of it was taken."""
        if self.lost():
            return False
        try:
            while self.tail:
                sent = os.write(self._descriptor, self.tail)
                self.tail = self.tail[sent:]
                self._begun = True
                self.sent_ns = max(self.sent_ns, self._clock.monotonic_ns()) + self._wire_ns(sent)
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(self._descriptor, self._flush)
            return False
        except OSError as problem:
            self._end(f"writing failed: {problem.strerror}")
            return False
        self._begun = self.ends_with_offs = False
        self._loop.remove_writer(self._descriptor)
        return True

    def _flush_spaced(self, received_ns: int) -> bool:
        """Hand over every off frame with a silent gap before it, so that a generator that knows a frame by its silences
        sees it as one.

        The loop must not run in between, for an off is synchronous; it is blocked before each frame for what is left of
        the gap, and at the most for the gap and the time of the frame before it: for 2.5 ms at 115,200 baud. On an idle
        line the first frame leaves at once. When the operating system takes no more, the rest waits in the tail without
        gaps.
        """
        handed_over = self._flush()  # a frame that was cut is completed first
        for frame in self._offs:
            most_ns = self._framing.gap_ns + self._wire_ns(len(frame))
            self._clock.block(min(self.quiet_ns(received_ns) - self._clock.monotonic_ns(), most_ns))
            self.tail += frame
            handed_over = self._flush()
        self.ends_with_offs = not handed_over
        return handed_over

    def _wire_ns(self, octets: int) -> int:
        return octets * self._framing.character_ns
