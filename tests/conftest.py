"""Async tests run in virtual time, on the machine's clock where marked ``real_time``; nothing may outlive its test."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from pytest_asyncio import is_async_test

from rfctl.clock import Clock, RealClock
from rfctl.virtual import VirtualClock, VirtualLoop
from tests import kills
from tests.intents import noted_syncs
from tests.proofs import pytest_addoption, pytest_collection_modifyitems, pytest_configure, shows

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "shows"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# How long one example takes says how busy the machine is, and nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if removed := os.environ.get(kills.VARIABLE):
    kills.KILLS[removed].remove()

# A task or thread whose last steps are due still gets to make them.
LAST_STEPS_S = 0.001
THREAD_END_S = 1.0


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("real_time"):
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualLoop}


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background has them ignore it, and every process that they start would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def clock(request: pytest.FixtureRequest) -> Clock:
    """The clock of the test's loop."""
    if not is_async_test(request.node):
        pytest.fail("the clock fixture is the clock of the test's loop: make the test async, or use run_virtual")
    loop = asyncio.get_running_loop()
    return VirtualClock(loop) if isinstance(loop, VirtualLoop) else RealClock()


@pytest.fixture(autouse=True, scope="session")
def syncs_are_noted() -> Iterator[None]:
    with noted_syncs():
        yield


@pytest.fixture(autouse=True)
def no_logging_of_another_test() -> Iterator[None]:
    """A command that a test runs in this process sets logging up for the process; that ends with the test."""
    yield
    logging.getLogger("rfctl").handlers.clear()


@pytest.fixture(autouse=True)
def no_leaked_thread() -> Iterator[None]:
    """Fails a test that leaves a thread running."""
    before = set(threading.enumerate())
    yield
    leaked = set(threading.enumerate()) - before
    for thread in leaked:
        thread.join(THREAD_END_S)
    alive = sorted(repr(thread) for thread in leaked if thread.is_alive())
    if alive:
        pytest.fail(f"leaked {len(alive)} thread(s): {'; '.join(alive)}", pytrace=False)


@pytest.fixture(autouse=True)
def no_leaked_task(request: pytest.FixtureRequest, no_leaked_thread: None) -> None:
    """Fails an async test that leaves a task pending. Threads are counted later: the loop's own end with the loop."""
    if is_async_test(request.node):
        request.getfixturevalue("tasks_end_with_the_test")


@pytest.fixture
async def tasks_end_with_the_test() -> AsyncIterator[None]:
    yield
    if _others():
        await asyncio.sleep(LAST_STEPS_S)
    leaked = sorted(repr(task) for task in _others())
    if leaked:
        pytest.fail(f"leaked {len(leaked)} task(s): {'; '.join(leaked)}", pytrace=False)


def _others() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
