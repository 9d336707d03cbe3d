"""Virtual time stands still while a hold says that real work is outstanding, and not for longer than a hold lasts."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from rfctl import virtual
from rfctl.clock import NS_PER_MS, NS_PER_S, wall_ns
from rfctl.virtual import Deadlock, run_virtual

if TYPE_CHECKING:
    from rfctl.virtual import VirtualClock

ROUNDS = 200


class Worker:
    """A thread's work in many steps, each of which finds the loop idle and then wakes it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.done = asyncio.Event()
        self.steps = 0

    def work(self) -> None:
        for _ in range(ROUNDS):
            acknowledged = threading.Event()
            self.loop.call_soon_threadsafe(self._step, acknowledged)
            acknowledged.wait()
        self.loop.call_soon_threadsafe(self.done.set)

    def _step(self, acknowledged: threading.Event) -> None:
        self.steps += 1
        acknowledged.set()


async def test_time_stands_still_while_a_thread_works_under_a_hold(clock: VirtualClock) -> None:
    worker = Worker()
    thread = threading.Thread(target=worker.work)
    async with asyncio.timeout(1e-9):
        with clock.hold():
            thread.start()
            await worker.done.wait()
    thread.join()
    assert worker.steps == ROUNDS
    assert clock.monotonic_ns() == 0
    assert clock.holds_expired == 0


async def test_an_executor_job_is_a_hold_by_itself(clock: VirtualClock) -> None:
    worker = Worker()
    async with asyncio.timeout(1e-9):
        await asyncio.to_thread(worker.work)
    assert worker.steps == ROUNDS
    assert clock.monotonic_ns() == 0


async def test_a_name_is_looked_up_in_no_time(clock: VirtualClock) -> None:
    async with asyncio.timeout(1e-9):
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    assert clock.monotonic_ns() == 0


async def test_a_child_runs_in_no_time_under_a_hold(clock: VirtualClock) -> None:
    async with asyncio.timeout(1e-9):
        with clock.hold():
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(42)", stdout=-1)
            output, _ = await child.communicate()
    assert output == b"42\n"
    assert clock.monotonic_ns() == 0


async def test_without_a_hold_time_passes_a_working_thread_by(clock: VirtualClock) -> None:
    """The thread ends only because virtual time reaches the timer while the thread is at work."""
    loop = asyncio.get_running_loop()
    released = threading.Event()
    done = asyncio.Event()

    def work() -> None:
        released.wait()
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=work)
    thread.start()
    loop.call_later(1, released.set)
    loop.call_later(3600, done.set)
    await done.wait()
    thread.join()
    assert clock.monotonic_ns() >= NS_PER_S


async def test_time_stands_still_until_the_last_of_several_holds(clock: VirtualClock) -> None:
    worker = Worker()
    async with asyncio.timeout(1e-9):
        with clock.hold():
            with clock.hold():
                await asyncio.sleep(0)
            thread = threading.Thread(target=worker.work)
            thread.start()
            await worker.done.wait()
    thread.join()
    assert clock.monotonic_ns() == 0


async def test_a_hold_that_outlasts_its_limit_no_longer_stops_time(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, "HOLD_LIMIT_NS", 20 * NS_PER_MS)
    started_ns = wall_ns()
    with clock.hold():
        await asyncio.sleep(1)
        assert wall_ns() - started_ns >= 20 * NS_PER_MS
        assert clock.monotonic_ns() == NS_PER_S
        assert clock.holds_expired == 1
        await asyncio.sleep(1)
    assert clock.holds_expired == 1
    with clock.hold():
        await asyncio.sleep(0)
    assert clock.holds_expired == 1


def test_a_deadlock_says_which_holds_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "HOLD_LIMIT_NS", 20 * NS_PER_MS)

    async def main() -> None:
        with virtual.VirtualClock.running().hold():
            await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"1 expired after 0\.02 s"):
        run_virtual(main())
