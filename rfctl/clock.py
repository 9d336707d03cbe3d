"""The only place with raw clocks: what a clock offers, and the clock of the machine."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Time as the system sees it.

    Durations and deadlines use ``monotonic_ns``; ``boottime_ns`` goes on while the machine is suspended; ``utc`` is
    only a label. ``scale`` names the relation to the wall: ``"real"``, ``"virtual"`` or ``"paced:X"``.
    """

    scale: str

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never jumps; the time of the event loop."""
        ...

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, suspend included."""
        ...

    def utc(self) -> datetime:
        """Wall time, time zone aware, in UTC. A label, never a deadline."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """While entered, virtual time does not advance: real work is outstanding (an fsync, a child). Nothing on the
        real clock.
        """
        ...

    def expect(self) -> AbstractContextManager[None]:
        """While entered, bytes are on their way from a peer in the same loop: virtual time gives the operating system a
        moment to deliver them before it jumps. Nothing on the real clock.
        """
        ...

    def at_work(self) -> AbstractContextManager[None]:
        """While entered, a peer in the same loop has all that was sent to it and will answer by a timer: nothing of
        what somebody expects is on its way, and virtual time need not wait for it. Nothing on the real clock.
        """
        ...

    def block(self, for_ns: int) -> None:
        """Hold the whole thread up for a moment, below a few milliseconds: only for what must be synchronous and yet
        leave a silence on a line. Nothing in virtual time, where a byte is through as soon as it is written.
        """
        ...


_NOTHING = nullcontext()  # entered with every request, and has no state


class RealClock:
    """The machine's own clocks."""

    scale = "real"

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def expect(self) -> AbstractContextManager[None]:
        return _NOTHING

    def at_work(self) -> AbstractContextManager[None]:
        return _NOTHING

    def block(self, for_ns: int) -> None:
        # Not a sleep: on a busy machine a thread that gave its processor away gets it back whenever, and this is the
        # way of an off.
        end_ns = time.monotonic_ns() + for_ns
        while time.monotonic_ns() < end_ns:
            pass


SLOWEST, FASTEST = 0.1, 100.0
"""Speeds that a simulator may run at."""


class ScaledClock(RealClock):
    """The machine's clock, faster or slower from when it was made: for a simulator that a process of its own serves.

    ``monotonic_ns`` never jumps, whatever its speed becomes. At speed 1 it is the machine's, if it has had no other.

    Attributes:
        speed: Seconds of it in a second on the wall.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._anchor_ns = self._anchor_wall_ns = time.monotonic_ns()
        self._run_at(speed)

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on; above 0."""
        passed_ns = time.monotonic_ns() - self._anchor_wall_ns
        self._anchor_ns += int(passed_ns * self.speed)
        self._anchor_wall_ns += passed_ns
        self._run_at(speed)

    def monotonic_ns(self) -> int:
        return self._anchor_ns + int((time.monotonic_ns() - self._anchor_wall_ns) * self.speed)

    def _run_at(self, speed: float) -> None:
        self.speed = speed
        self.scale = "real" if speed == 1.0 else f"scaled:{speed:g}"


def wall_ns() -> int:
    """Nanoseconds of the wall's monotonic clock, whatever clock the system runs on: for measuring what a run cost."""
    return time.perf_counter_ns()
