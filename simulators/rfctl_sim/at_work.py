"""Answers that take their time: until then nothing of them is on the wire, and virtual time is told so."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock


def do_at(clock: Clock, at_ns: int, do: Callable[[], None]) -> None:
    """Do at an instant of the clock, on the running loop, what somebody may be waiting for already."""
    work = ExitStack()
    work.enter_context(clock.at_work())

    def end() -> None:
        work.close()
        do()

    asyncio.get_running_loop().call_at(at_ns / NS_PER_S, end)
