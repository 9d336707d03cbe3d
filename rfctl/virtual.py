"""Virtual time: an event loop over real sockets and ptys whose clock jumps to the next timer when nothing is ready."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from selectors import PollSelector, SelectorKey
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

from rfctl.clock import NS_PER_S, RealClock, wall_ns
from rfctl.errors import RfctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
NS_PER_US = 1_000

Events = list[tuple[SelectorKey, int]]

# Longest time on the wall that one hold stops virtual time: a dead disk or broker must not stop a run for ever.
HOLD_LIMIT_NS = 2 * NS_PER_S

# asyncio keeps timers as float seconds. Up to here (24 days) their spacing is below a quarter of a nanosecond, so the
# nearest whole nanosecond is the exact one.
END_NS = 2**21 * NS_PER_S

# A timer runs once the clock is within half a nanosecond of it: the clock is at the nearest whole nanosecond.
TIMER_RESOLUTION_S = 0.5e-9

# A paced loop that fell further behind than this (suspended, stopped in a debugger) goes on from there instead of
# racing through what it missed.
CATCH_UP_NS = NS_PER_S // 4


# Rounds of the loop with callbacks ready that may pass without a look at the descriptors.
MOST_ROUNDS_UNSEEN = 2


class Deadlock(RfctlError):
    """Nothing can happen any more in virtual time: no I/O is ready, no hold is open, and no timer lies ahead."""


class _Timeline(PollSelector):
    """The selector of a virtual loop, and its clock: where asyncio would sleep until a timer, time jumps there.

    Poll and not epoll: epoll does not flush the line discipline of a pty, so bytes that are there are not seen.
    """

    def __init__(self, pace: float | None) -> None:
        super().__init__()
        self.now_ns = 0
        self.pace = pace
        self.holds_expired = 0
        self.expecting = 0
        self._rounds_unseen = 0
        self._holds: dict[object, int] = {}  # when each ends at the latest, on the wall; the oldest first
        self._anchor_ns = 0
        self._anchor_wall_ns = wall_ns()

    def select(self, timeout: float | None = None) -> Events:
        if timeout is not None and timeout <= 0:
            # Callbacks are ready. What they wait for has mostly been seen already: a look each round finds nothing new.
            self._rounds_unseen += 1
            if self._rounds_unseen <= MOST_ROUNDS_UNSEEN:
                return []
            self._rounds_unseen = 0
            return PollSelector.select(self, 0)
        self._rounds_unseen = 0
        events = PollSelector.select(self, 0)
        if not events and self.expecting > 0:
            # Loopback delivery may be with ksoftirqd still: let it run and look again before time moves.
            os.sched_yield()
            events = PollSelector.select(self, 0)
        while self._holds and not events:
            events = self._wait_for_hold()
        if events:
            return events
        if timeout is None:
            raise self._deadlock("no timer is set")
        # At least 1 ns: with a timer between two nanoseconds the loop still makes progress.
        target_ns = self.now_ns + (round(timeout * NS_PER_S) or 1)
        if target_ns > END_NS:
            raise self._deadlock(f"no timer is set within the {END_NS // NS_PER_S} s that virtual time lasts")
        if self.pace is not None:
            events = self._wait_for_wall(target_ns, self.pace)
        if not events:
            self.now_ns = target_ns
        return events

    def open_hold(self) -> object:
        token = object()
        self._holds[token] = wall_ns() + HOLD_LIMIT_NS
        return token

    def close_hold(self, token: object) -> None:
        self._holds.pop(token, None)

    def _deadlock(self, why: str) -> Deadlock:
        what = f"virtual time stands still at {self.now_ns / NS_PER_S} s: {why}, no I/O is ready and no hold is open"
        if self.holds_expired:
            what += f" ({self.holds_expired} expired after {HOLD_LIMIT_NS / NS_PER_S:g} s)"
        waiting = sorted(f"{task.get_name()} in {_place(task)}" for task in asyncio.all_tasks())
        return Deadlock(
            f"{what}. Waiting: {'; '.join(waiting) or 'no task'}",
            remedy="Give the wait a time-out, or hold the clock while a thread or a child does the work it waits for.",
        )

    def _wait_for_hold(self) -> Events:
        token, end_ns = next(iter(self._holds.items()))
        left_ns = end_ns - wall_ns()
        if left_ns > 0:
            return PollSelector.select(self, left_ns / NS_PER_S)
        del self._holds[token]
        self.holds_expired += 1
        return []

    def _wait_for_wall(self, target_ns: int, pace: float) -> Events:
        """Wait until the wall has caught up with ``target_ns``; I/O that comes first is dated by the wall."""
        due_ns = self._anchor_wall_ns + int((target_ns - self._anchor_ns) / pace)
        late_ns = wall_ns() - due_ns
        if late_ns > CATCH_UP_NS:
            self._anchor_ns, self._anchor_wall_ns = target_ns, due_ns + late_ns
        while late_ns < 0:
            events = PollSelector.select(self, -late_ns / NS_PER_S)
            late_ns = wall_ns() - due_ns
            if events:
                reached_ns = target_ns + int(late_ns * pace)
                self.now_ns = max(self.now_ns, min(reached_ns, target_ns))
                return events
        return []


class _Expecting:
    """Counts those who wait for bytes that are on their way, or takes back one whose bytes are not yet; one object
    serves them all, for it is entered often.
    """

    def __init__(self, timeline: _Timeline, by: int) -> None:
        self._timeline = timeline
        self._by = by

    def __enter__(self) -> None:
        self._timeline.expecting += self._by

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timeline.expecting -= self._by


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, from 0 s.

    Time stands still while anything is ready and while a hold is open, otherwise it jumps to the next timer. A job in
    an executor counts as a hold. A run that can go nowhere raises Deadlock out of ``run_until_complete``.

    Args:
        pace: Seconds of virtual time per second on the wall, at most; as fast as it goes when not given. Being late
            on the wall is never lateness in virtual time.
        utc_start: The UTC that virtual time starts at; the wall's when not given.
    """

    def __init__(self, *, pace: float | None = None, utc_start: datetime | None = None) -> None:
        self._timeline = _Timeline(pace)
        self._expecting = _Expecting(self._timeline, 1)
        self._at_work = _Expecting(self._timeline, -1)
        super().__init__(self._timeline)
        self._clock_resolution = TIMER_RESOLUTION_S
        self.utc_start = utc_start if utc_start is not None else RealClock().utc()

    @property
    def pace(self) -> float | None:
        """Virtual seconds per second on the wall, at most; None for as fast as it goes."""
        return self._timeline.pace

    @property
    def holds_expired(self) -> int:
        """Holds that ended because the real work took longer than HOLD_LIMIT_NS."""
        return self._timeline.holds_expired

    def time(self) -> float:
        return self._timeline.now_ns / NS_PER_S

    def monotonic_ns(self) -> int:
        """Virtual time in whole nanoseconds, exact."""
        return self._timeline.now_ns

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While entered, time does not advance: real work is outstanding. At most HOLD_LIMIT_NS on the wall.

        Entered and left in the loop's thread. The loop goes on serving I/O and wake-ups from other threads.
        """
        token = self._timeline.open_hold()
        try:
            yield
        finally:
            self._timeline.close_hold(token)

    def expect(self) -> AbstractContextManager[None]:
        """While entered, a peer in this loop has been sent something or is to answer: before time jumps, the operating
        system gets a moment to deliver it.
        """
        return self._expecting

    def at_work(self) -> AbstractContextManager[None]:
        """While entered, a peer in this loop sits on what it was sent, and a timer will have it answer."""
        return self._at_work

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        token = self._timeline.open_hold()
        future.add_done_callback(lambda _: self._timeline.close_hold(token))
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 asyncio's own
        # The thread that joins the executor is real work. Python 3.12's time-out would be virtual; the hold's is not.
        with self.hold():
            await super().shutdown_default_executor()


class VirtualClock:
    """The clock of a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._timeline = loop._timeline  # asked twenty times a cycle, so without the way through the loop
        self.scale = "virtual" if loop.pace is None else f"paced:{loop.pace:g}"

    @classmethod
    def running(cls) -> VirtualClock:
        """The clock of the running loop.

        Raises:
            RuntimeError: No loop runs, or it is not a virtual one.
        """
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise RuntimeError(
                f"the running loop is on the machine's clock ({type(loop).__name__}): start it by run_virtual"
            )
        return cls(loop)

    @property
    def holds_expired(self) -> int:
        """Holds that ended because the real work took longer than HOLD_LIMIT_NS."""
        return self._loop.holds_expired

    def monotonic_ns(self) -> int:
        return self._timeline.now_ns

    def boottime_ns(self) -> int:
        return self._timeline.now_ns

    def utc(self) -> datetime:
        return self._loop.utc_start + timedelta(microseconds=self._loop.monotonic_ns() // NS_PER_US)

    def hold(self) -> AbstractContextManager[None]:
        return self._loop.hold()

    def expect(self) -> AbstractContextManager[None]:
        return self._loop.expect()

    def at_work(self) -> AbstractContextManager[None]:
        return self._loop.at_work()

    def block(self, for_ns: int) -> None:
        pass


def run_virtual(main: Coroutine[Any, Any, T], *, pace: float | None = None, utc_start: datetime | None = None) -> T:
    """Run a coroutine to its end in virtual time; the virtual ``asyncio.run``.

    Tasks that are left over are cancelled, async generators and the executor are shut down, the loop is closed.

    Args:
        main: What to run.
        pace: As for VirtualLoop.
        utc_start: As for VirtualLoop.

    Raises:
        Deadlock: Everything waits for something that cannot happen.
        ValueError: The pace is not a positive number.
    """
    if pace is not None and not 0 < pace < float("inf"):
        raise ValueError(f"pace {pace:g}: give virtual seconds per second on the wall, more than 0")
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(pace=pace, utc_start=utc_start)) as runner:
        return runner.run(main)


def _place(task: asyncio.Task[Any]) -> str:
    """Where a task waits, from its own coroutine inwards: ``poll (loop.py:40) > get (queues.py:158)``."""
    steps = []
    waiter: Any = task.get_coro()
    while frame := getattr(waiter, "cr_frame", None) or getattr(waiter, "gi_frame", None):
        code = frame.f_code
        steps.append(f"{code.co_qualname} ({Path(code.co_filename).name}:{frame.f_lineno})")
        waiter = getattr(waiter, "cr_await", None) or getattr(waiter, "gi_yieldfrom", None)
    return " > ".join(steps) or repr(waiter)
