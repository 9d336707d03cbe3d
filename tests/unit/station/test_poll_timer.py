"""The poll loop's deadlines, and what wakes it at them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_MS
from rfctl.station import poll_timer
from rfctl.station.poll_timer import DescriptorTimer, LoopTimer, next_due, open_timer

if TYPE_CHECKING:
    from rfctl.clock import Clock

PERIOD_NS = 50 * NS_PER_MS


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_deadlines_do_not_drift_by_what_a_cycle_takes() -> None:
    due_ns, late = 0, False
    for cycle in range(1, 1000):
        due_ns, late = next_due(due_ns, PERIOD_NS, due_ns + cycle * 40_000)
        assert not late
    assert due_ns == 999 * PERIOD_NS


@pytest.mark.parametrize("over_ns", [0, 1, 20 * PERIOD_NS])
def test_after_a_cycle_that_took_too_long_the_next_is_due_at_once_and_the_others_from_there(over_ns: int) -> None:
    now_ns = 7 + PERIOD_NS + over_ns
    assert next_due(7, PERIOD_NS, now_ns) == (now_ns, True)
    assert next_due(now_ns, PERIOD_NS, now_ns + 1) == (now_ns + PERIOD_NS, False)


async def test_in_virtual_time_a_deadline_is_met_to_the_nanosecond(clock: Clock) -> None:
    with open_timer(clock) as timer:
        assert isinstance(timer, LoopTimer)
        for due_ns in (1, PERIOD_NS, PERIOD_NS + 3, 10 * PERIOD_NS):
            await timer.until(due_ns)
            assert clock.monotonic_ns() == due_ns


@pytest.mark.real_time
async def test_on_the_machines_clock_a_descriptor_wakes_the_loop_and_never_early(clock: Clock) -> None:
    before = descriptors()
    with open_timer(clock) as timer:
        assert isinstance(timer, DescriptorTimer)
        due_ns = clock.monotonic_ns()
        for _ in range(5):
            due_ns += 2 * NS_PER_MS
            await timer.until(due_ns)
            assert clock.monotonic_ns() >= due_ns
    assert descriptors() == before


@pytest.mark.real_time
async def test_a_deadline_that_has_passed_still_lets_the_loop_turn(clock: Clock) -> None:
    with open_timer(clock) as timer:
        turned: list[int] = []
        asyncio.get_running_loop().call_soon(turned.append, 1)
        await timer.until(clock.monotonic_ns() - PERIOD_NS)
        assert turned == [1]


@pytest.mark.real_time
async def test_a_wait_that_was_given_up_disturbs_no_later_one(clock: Clock) -> None:
    with open_timer(clock) as timer:
        given_up_ns = clock.monotonic_ns() + 3 * NS_PER_MS
        waiting = asyncio.create_task(timer.until(given_up_ns))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        due_ns = given_up_ns + 3 * NS_PER_MS
        await timer.until(due_ns)
        assert clock.monotonic_ns() >= due_ns


@pytest.mark.real_time
async def test_where_there_is_no_timerfd_the_loops_own_timer_serves(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_timer.sys, "platform", "plan9")
    with open_timer(clock) as timer:
        assert isinstance(timer, LoopTimer)
        due_ns = clock.monotonic_ns() + 2 * NS_PER_MS
        await timer.until(due_ns)
        assert clock.monotonic_ns() >= due_ns - 1_000  # asyncio keeps time in floating point
