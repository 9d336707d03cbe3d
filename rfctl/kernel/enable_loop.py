"""The enable loop, as the guard holds it: what the kernel knows of it, and intents that wait until it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.phase import INTENDED

if TYPE_CHECKING:
    from rfctl.kernel.state import KernelState


class Loop(NamedTuple):
    """What the guard last said.

    Attributes:
        closed: The relay's contact is held, and was read closed.
        silent_ns: Since when the guard has said nothing; 0 while it goes on.
        waiting: Intents that are durable, and wait for the contact.
    """

    closed: bool = False
    silent_ns: int = 0
    waiting: tuple[int, ...] = ()


def must_wait(state: KernelState) -> bool:
    """There is a guard, and it does not hold the loop closed."""
    return state.setup.guarded and not state.loop.closed


def of_the_loop(state: KernelState, now_ns: int) -> tuple[float, float, float]:
    """Age of the guard's last word, s; 1 while the loop is open; how long it has been waited for, s: the quantities of
    row.OF_THE_GUARD, in this order.
    """
    loop = state.loop
    age_s = (now_ns - loop.silent_ns) / 1e9 if loop.silent_ns else 0.0
    if loop.closed:
        return age_s, 0.0, 0.0
    wait_ns = max([now_ns - c.since_ns for c in state.channels if c.phase in INTENDED], default=0)
    return age_s, 1.0, wait_ns / 1e9
