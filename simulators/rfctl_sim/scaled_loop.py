"""An event loop in the time of a ScaledClock: its timers are seconds of that clock, its sockets are the machine's."""

from __future__ import annotations

import asyncio
from selectors import DefaultSelector
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_S

if TYPE_CHECKING:
    from selectors import SelectorKey

    from rfctl.clock import ScaledClock


class _ScaledSelector(DefaultSelector):
    """Waits as long on the wall as the loop asks for on the clock."""

    def __init__(self, clock: ScaledClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / self._clock.speed)


class ScaledLoop(asyncio.SelectorEventLoop):
    """Runs at the speed that the clock has just then."""

    def __init__(self, clock: ScaledClock) -> None:
        self._scaled_clock = clock
        super().__init__(_ScaledSelector(clock))

    def time(self) -> float:
        return self._scaled_clock.monotonic_ns() / NS_PER_S


def run_scaled(main: Any, clock: ScaledClock) -> None:
    """Run a coroutine to its end in the time of a clock, as asyncio.run does on the machine's."""
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(clock)) as runner:
        runner.run(main)
