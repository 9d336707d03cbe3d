"""A run that can go nowhere is an error that names who waits for what, not a hang."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from rfctl.errors import EXIT_INTERNAL
from rfctl.virtual import Deadlock, run_virtual


async def consume(queue: asyncio.Queue[int]) -> int:
    return await queue.get()


def test_a_deadlock_names_every_waiting_task_and_its_place() -> None:
    async def main() -> None:
        await asyncio.sleep(1.5)
        await asyncio.create_task(consume(asyncio.Queue()), name="consumer")

    with pytest.raises(Deadlock) as caught:
        run_virtual(main())
    text = str(caught.value)
    assert "virtual time stands still at 1.5 s: no timer is set, no I/O is ready and no hold is open" in text
    assert "consumer in consume (test_loop_deadlock.py:" in text
    assert "> Queue.get (queues.py:" in text
    assert "main (test_loop_deadlock.py:" in text
    assert text.endswith("hold the clock while a thread or a child does the work it waits for.")
    assert caught.value.exit_code == EXIT_INTERNAL


def test_a_peer_that_never_answers_without_a_time_out_is_a_deadlock() -> None:
    async def main() -> None:
        near, far = socket.socketpair()
        with near, far:
            os.set_blocking(near.fileno(), False)
            await asyncio.get_running_loop().sock_recv(near, 1)

    with pytest.raises(Deadlock, match="main"):
        run_virtual(main())


def test_tasks_of_a_deadlock_are_cancelled_and_clean_up() -> None:
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            cleaned.append("main")

    with pytest.raises(Deadlock):
        run_virtual(main())
    assert cleaned == ["main"]
