"""Virtual time moves from timer to timer, exactly, and only when nothing else can be done."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfctl.clock import NS_PER_S
from rfctl.virtual import END_NS, Deadlock, VirtualClock, VirtualLoop, run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
instants_ns = st.integers(min_value=0, max_value=END_NS)


def run_at(deadlines_s: list[float]) -> list[tuple[float, int]]:
    """When timers for these deadlines run, as (deadline, virtual nanosecond), in the order in which they run."""
    ran: list[tuple[float, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        clock = VirtualClock.running()
        done = asyncio.Event()

        def note(deadline_s: float) -> None:
            ran.append((deadline_s, clock.monotonic_ns()))
            if len(ran) == len(deadlines_s):
                done.set()

        for deadline_s in deadlines_s:
            loop.call_at(deadline_s, note, deadline_s)
        await done.wait()

    run_virtual(main())
    return ran


@given(st.lists(instants_ns, min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_timers_run_in_order_at_their_exact_nanosecond(deadlines_ns: list[int]) -> None:
    ran = run_at([ns / NS_PER_S for ns in deadlines_ns])
    assert [ns for _, ns in ran] == sorted(deadlines_ns)


@given(instants_ns.filter(lambda ns: ns < END_NS - 3))
@settings(deadline=None, max_examples=50)
def test_neighbouring_nanoseconds_are_told_apart(first_ns: int) -> None:
    neighbours = [first_ns, first_ns + 1, first_ns + 2]
    assert [ns for _, ns in run_at([ns / NS_PER_S for ns in neighbours])] == neighbours


@given(st.lists(st.floats(min_value=0, max_value=END_NS / NS_PER_S - 1), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_a_timer_between_two_nanoseconds_runs_within_one(deadlines_s: list[float]) -> None:
    for deadline_s, ran_ns in run_at(deadlines_s):
        assert abs(ran_ns - deadline_s * NS_PER_S) <= 1


async def test_a_deadline_in_the_past_runs_now(clock: VirtualClock) -> None:
    await asyncio.sleep(5)
    ran = asyncio.Event()
    asyncio.get_running_loop().call_at(1.0, ran.set)
    await ran.wait()
    assert clock.monotonic_ns() == 5 * NS_PER_S


async def test_work_takes_no_virtual_time(clock: VirtualClock) -> None:
    async def spin() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)

    async with asyncio.timeout(1e-9):
        await asyncio.gather(*(spin() for _ in range(10)))
    assert clock.monotonic_ns() == 0


async def test_the_loop_and_the_clock_tell_the_same_time(clock: VirtualClock) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(1_000):
        await asyncio.sleep(0.05)
        assert round(loop.time() * NS_PER_S) == clock.monotonic_ns() == clock.boottime_ns()
    assert clock.monotonic_ns() == 50 * NS_PER_S


async def test_time_passes_over_a_cancelled_timer(clock: VirtualClock) -> None:
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    loop.call_later(1, seen.append, 1).cancel()
    loop.call_later(2, lambda: seen.append(clock.monotonic_ns()))
    await asyncio.sleep(3)
    assert seen == [2 * NS_PER_S]


def test_a_cancelled_timer_alone_moves_nothing() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(3600, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"stands still at 0\.0 s"):
        run_virtual(main())


def test_a_wait_for_ever_is_refused_where_virtual_time_ends() -> None:
    with pytest.raises(Deadlock, match="no timer is set within the 2097152 s that virtual time lasts"):
        run_virtual(asyncio.sleep(float("inf")))


async def test_a_signal_handler_is_called(clock: VirtualClock) -> None:
    loop = asyncio.get_running_loop()
    received = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, received.set)
    async with asyncio.timeout(1):
        os.kill(os.getpid(), signal.SIGUSR1)
        await received.wait()
    loop.remove_signal_handler(signal.SIGUSR1)
    assert clock.monotonic_ns() == 0


def test_utc_is_a_label_that_starts_where_it_is_told() -> None:
    async def main() -> tuple[str, datetime, datetime]:
        clock = VirtualClock.running()
        before = clock.utc()
        await asyncio.sleep(90.25)
        return clock.scale, before, clock.utc()

    assert run_virtual(main(), utc_start=START) == ("virtual", START, START + timedelta(seconds=90.25))


async def test_utc_starts_at_the_walls(clock: VirtualClock) -> None:
    before = clock.utc()
    assert abs(before - datetime.now(UTC)) < timedelta(minutes=5)
    await asyncio.sleep(86_400)
    assert clock.utc() - before == timedelta(days=1)


@pytest.mark.real_time
async def test_the_machines_loop_has_no_virtual_clock() -> None:
    with pytest.raises(RuntimeError, match="run_virtual"):
        VirtualClock.running()


def test_run_virtual_returns_the_result_and_raises_the_error() -> None:
    async def divide(numerator: int, denominator: int) -> float:
        await asyncio.sleep(1)
        return numerator / denominator

    assert run_virtual(divide(6, 3)) == 2
    with pytest.raises(ZeroDivisionError):
        run_virtual(divide(6, 0))


def test_run_virtual_ends_what_its_coroutine_left_behind() -> None:
    ended: list[str] = []

    async def task() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)  # an orderly end takes time
            ended.append("task")

    async def generator() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append("generator")

    async def main() -> tuple[object, ...]:
        left = asyncio.create_task(task())
        started = generator()
        await anext(started)
        await asyncio.to_thread(int)
        return asyncio.get_running_loop(), left, started

    loop, *_ = run_virtual(main())
    assert ended == ["task", "generator"]
    assert isinstance(loop, VirtualLoop)
    assert loop.is_closed()
    assert loop.time() == 0.1
