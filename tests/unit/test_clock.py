"""The clocks: the machine's own, and what every clock promises."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S, RealClock, wall_ns

if TYPE_CHECKING:
    from rfctl.clock import Clock


def check_promises(clock: Clock) -> None:
    before = clock.monotonic_ns(), clock.boottime_ns(), clock.utc()
    with clock.hold():
        after = clock.monotonic_ns(), clock.boottime_ns(), clock.utc()
    assert before[0] <= after[0]
    assert before[1] <= after[1]
    assert before[2] <= after[2]
    assert isinstance(after[0], int)
    assert isinstance(after[1], int)
    assert after[2].utcoffset() == timedelta(0)


async def test_virtual_time_keeps_a_clocks_promises(clock: Clock) -> None:
    assert clock.scale == "virtual"
    check_promises(clock)


@pytest.mark.real_time
async def test_the_machines_clock_keeps_a_clocks_promises(clock: Clock) -> None:
    assert clock.scale == "real"
    check_promises(clock)


@pytest.mark.real_time
async def test_the_machines_clock_is_the_loops(clock: Clock) -> None:
    before_s = asyncio.get_running_loop().time()
    now_ns = clock.monotonic_ns()
    after_s = asyncio.get_running_loop().time()
    assert before_s * NS_PER_S - 1_000 <= now_ns <= after_s * NS_PER_S + 1_000


def test_the_machines_clock_agrees_with_the_system() -> None:
    clock = RealClock()
    assert clock.boottime_ns() >= time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 1_000 * NS_PER_MS
    assert abs(clock.utc() - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.real_time
async def test_a_hold_of_the_machines_clock_stops_nothing(clock: Clock) -> None:
    before_ns = clock.monotonic_ns()
    with clock.hold():
        await asyncio.sleep(0.001)
    assert clock.monotonic_ns() - before_ns >= NS_PER_MS - 1_000


async def test_the_wall_goes_on_while_virtual_time_stands(clock: Clock) -> None:
    before_ns = wall_ns(), clock.monotonic_ns()
    while wall_ns() == before_ns[0]:
        pass
    assert clock.monotonic_ns() == before_ns[1]
