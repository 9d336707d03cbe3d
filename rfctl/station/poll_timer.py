"""Wakes the poll loop at absolute deadlines: by a timerfd on the machine's clock, else by the loop's timer."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rfctl.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.clock import Clock

Arm = Callable[[int, int], None]
"""Has a descriptor become readable at an instant of CLOCK_MONOTONIC, ns."""


EARLY_NS = 150_000
"""From the descriptor to the code that waits takes about so long. What is left of it is spent looking at the clock."""


class PollTimer(Protocol):
    """Waits for deadlines."""

    async def until(self, due_ns: int) -> None:
        """Return at a deadline of the station's clock, or after one turn of the loop when it has passed."""
        ...


def next_due(due_ns: int, period_ns: int, now_ns: int) -> tuple[int, bool]:
    """The deadline after this one, and whether it was missed; then the next cycle is due now, and later ones by it.

    Args:
        due_ns: When the cycle that has ended was due.
        period_ns: From one to the next.
        now_ns: It is now.
    """
    next_ns = due_ns + period_ns
    return (now_ns, True) if now_ns >= next_ns else (next_ns, False)


@contextmanager
def open_timer(clock: Clock) -> Iterator[PollTimer]:
    """The best timer there is for this clock, on the running loop."""
    if clock.scale == "real":
        try:
            descriptor, arm = _timerfd()
        except OSError:  # no such call here, or no descriptor left: a little late is better than never
            pass
        else:
            loop = asyncio.get_running_loop()
            timer = DescriptorTimer(clock, descriptor, arm)
            loop.add_reader(descriptor, timer.on_readable)
            try:
                yield timer
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
            return
    yield LoopTimer(clock)


class LoopTimer:
    """The event loop's own timer: exact in virtual time, up to a millisecond late on the wall."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def until(self, due_ns: int) -> None:
        await asyncio.sleep(max(due_ns - self._clock.monotonic_ns(), 0) / NS_PER_S)


class DescriptorTimer:
    """A descriptor that the kernel makes readable at the deadline. One wait at a time."""

    def __init__(self, clock: Clock, descriptor: int, arm: Arm) -> None:
        self._clock = clock
        self._descriptor = descriptor
        self._arm = arm
        self._waiting: asyncio.Future[None] | None = None

    async def until(self, due_ns: int) -> None:
        if due_ns - EARLY_NS <= self._clock.monotonic_ns():
            await asyncio.sleep(0)
        else:
            self._waiting = asyncio.get_running_loop().create_future()
            self._arm(self._descriptor, due_ns - EARLY_NS)
            try:
                await self._waiting
            finally:
                self._waiting = None
        while self._clock.monotonic_ns() < due_ns:
            pass

    def on_readable(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:  # armed anew since the loop saw it
            return
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _timerfd() -> tuple[int, Arm]:
    """A non-blocking timer descriptor on CLOCK_MONOTONIC, and how to arm it. Source: timerfd_create(2).

    Raises:
        OSError: There is none here.
    """
    if sys.platform != "linux":
        raise OSError("timerfd is Linux's")
    if sys.version_info >= (3, 13):
        import time

        def arm(fd: int, due_ns: int) -> None:
            os.timerfd_settime_ns(fd, flags=os.TFD_TIMER_ABSTIME, initial=due_ns)

        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC), arm
    return _timerfd_of_libc()


def _timerfd_of_libc() -> tuple[int, Arm]:
    import ctypes
    import time

    class Spec(ctypes.Structure):
        """struct itimerspec: interval, then first expiry, each in seconds and nanoseconds."""

        _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "first_s", "first_ns")]

    try:
        libc = ctypes.CDLL(None, use_errno=True)
        create, settime = libc.timerfd_create, libc.timerfd_settime
    except AttributeError:
        raise OSError("the C library has no timerfd_create") from None
    absolute = 1  # TFD_TIMER_ABSTIME
    descriptor: int = create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(fd: int, due_ns: int) -> None:
        spec = Spec(0, 0, *divmod(due_ns, NS_PER_S))
        if settime(fd, absolute, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    return descriptor, arm
