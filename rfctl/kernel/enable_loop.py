"""The enable loop, as the guard holds it: what the kernel knows of it, and intents that wait until it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.phase import INTENDED
from rfctl.kernel.row import Quantity

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


def of_the_loop(state: KernelState, quantity: Quantity, now_ns: int) -> float:
    """A quantity of row.OF_THE_GUARD."""
    loop = state.loop
    if quantity is Quantity.GUARD_AGE:
        return (now_ns - loop.silent_ns) / 1e9 if loop.silent_ns else 0.0
    if loop.closed:
        return 0.0
    if quantity is Quantity.LOOP_OPEN:
        return 1.0
    return max((now_ns - c.since_ns for c in state.channels if c.phase in INTENDED), default=0) / 1e9
