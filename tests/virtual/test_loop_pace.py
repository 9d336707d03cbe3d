"""The paced loop: virtual time that never runs ahead of the wall, and knows no lateness."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from rfctl import virtual
from rfctl.clock import NS_PER_MS, NS_PER_S, wall_ns
from rfctl.virtual import VirtualClock, run_virtual


def be_busy(until_wall_ns: int) -> None:
    while wall_ns() < until_wall_ns:
        pass


def test_it_is_never_faster_than_its_pace() -> None:
    async def main() -> tuple[str, int]:
        for _ in range(100):
            await asyncio.sleep(0.05)
        clock = VirtualClock.running()
        return clock.scale, clock.monotonic_ns()

    started_ns = wall_ns()
    assert run_virtual(main(), pace=50) == ("paced:50", 5 * NS_PER_S)
    assert wall_ns() - started_ns >= 100 * NS_PER_MS


def test_input_from_outside_ends_a_wait_early_and_is_dated_by_the_wall() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        pressed = asyncio.Event()
        with subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE) as keyboard:  # noqa: ASYNC220
            assert keyboard.stdout is not None
            loop.add_reader(keyboard.stdout, pressed.set)
            async with asyncio.timeout(3600):
                await pressed.wait()
            loop.remove_reader(keyboard.stdout)
        return VirtualClock.running().monotonic_ns()

    started_ns = wall_ns()
    pressed_ns = run_virtual(main(), pace=2)
    assert 0 < pressed_ns <= 2 * (wall_ns() - started_ns)


def test_being_late_on_the_wall_is_not_lateness() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        clock = VirtualClock.running()
        ran: list[int] = []
        for milliseconds in (10, 20, 30):
            loop.call_later(milliseconds / 1000, lambda: ran.append(clock.monotonic_ns()))
        be_busy(wall_ns() + 50 * NS_PER_MS)
        await asyncio.sleep(0.04)
        return ran

    assert run_virtual(main(), pace=1) == [10 * NS_PER_MS, 20 * NS_PER_MS, 30 * NS_PER_MS]


def test_after_a_standstill_it_goes_on_at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "CATCH_UP_NS", 0)

    async def main() -> int:
        be_busy(wall_ns() + 100 * NS_PER_MS)
        await asyncio.sleep(0.01)
        resumed_ns = wall_ns()
        await asyncio.sleep(0.05)
        return wall_ns() - resumed_ns

    assert run_virtual(main(), pace=1) >= 45 * NS_PER_MS


@pytest.mark.parametrize("pace", [0.0, -1.0, float("inf"), float("nan")])
def test_a_pace_that_goes_nowhere_is_refused(pace: float) -> None:
    async def main() -> None:
        pass

    coroutine = main()
    with pytest.raises(ValueError, match="more than 0"):
        run_virtual(coroutine, pace=pace)
    coroutine.close()
