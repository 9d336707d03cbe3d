"""The thread that works for a loop: in order, what went wrong is told, and it ends with whom it works for."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from rfctl.record.disk_thread import DiskThread

pytestmark = pytest.mark.real_time


async def test_it_works_in_order_in_one_thread_and_tells_in_the_loop() -> None:
    thread, told = DiskThread(), []
    workers = []
    for number in range(100):
        thread.do(lambda: workers.append(threading.get_ident()), lambda *_, n=number: told.append(n))
    await thread.run(int)
    assert told == list(range(100))
    assert len(workers) == 100
    assert set(workers) != {threading.get_ident()}
    assert len(set(workers)) == 1
    thread.end()


async def test_what_was_returned_or_raised_comes_back() -> None:
    thread = DiskThread()
    assert await thread.run(lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    with pytest.raises(KeyboardInterrupt):
        await thread.run(interrupted)
    assert await thread.run(lambda: "goes on") == "goes on"
    thread.end()


def interrupted() -> None:
    raise KeyboardInterrupt


async def test_the_end_waits_for_what_was_asked_and_nobody_is_told_afterwards() -> None:
    thread, done, told = DiskThread(), [], []
    held = threading.Event()
    thread.do(held.wait, lambda *_: told.append(1))
    thread.do(lambda: done.append(1), lambda *_: told.append(2))
    held.set()
    thread.end()
    thread.end()
    assert done == [1]
    await asyncio.sleep(0)
    assert told == []


async def test_who_no_longer_waits_for_an_answer_disturbs_nobody() -> None:
    thread, held = DiskThread(), threading.Event()
    waiting = asyncio.create_task(thread.run(held.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    held.set()
    assert await thread.run(lambda: "next") == "next"
    assert waiting.cancelled()
    thread.end()


def test_it_ends_when_nobody_can_ask_any_more() -> None:
    async def leave_it() -> tuple[weakref.ref[DiskThread], threading.Thread]:
        before = set(threading.enumerate())
        thread = DiskThread()
        (worker,) = set(threading.enumerate()) - before
        assert await thread.run(lambda: 1) == 1
        return weakref.ref(thread), worker

    left, worker = asyncio.run(leave_it())
    gc.collect()
    assert left() is None
    worker.join(10)
    assert not worker.is_alive()
