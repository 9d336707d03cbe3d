"""Garbage collection when the procedure chooses: a collection stops the loop, and must not while RF is on."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rfctl.kernel.phase import ENERGISED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.kernel.state import KernelState

TIDY_CYCLES = 400
"""20 s: what gathers meanwhile is collected in a fraction of a millisecond."""


@contextmanager
def collected_by_hand() -> Iterator[None]:
    """Take what lives now out of the collector's sight, and switch the automatic collection off meanwhile."""
    automatic = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if automatic:
            gc.enable()


def tidy(state: KernelState, cycle: int) -> None:
    """Collect what has gathered, every so many cycles in which no output is on."""
    if cycle % TIDY_CYCLES == 0 and not any(channel.phase in ENERGISED for channel in state.channels):
        gc.collect(0)
