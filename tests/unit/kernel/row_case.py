"""How one row of the interlock table is driven beyond its limit on the bench."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rfctl.kernel.phase import Phase
from tests.unit.kernel.bench import Bench

Signal = Callable[[Bench, float], None]
"""Makes the row's quantity take this value on the channel under work, from the next sample on."""


class Case(NamedTuple):
    """How to drive one row.

    Attributes:
        phase: A phase in which it is in force.
        other: A phase in which it is not; None: it is in force in every one.
        signal: Drives its quantity.
        beyond: Samples beyond the limit until it acts.
        below: A value just on the quiet side, None: the quantity is a flag.
        above: A value just beyond.
        run: Samples that the signal needs until its window is certainly full.
        nan: The quantity can be not-a-number.
    """

    phase: Phase
    other: Phase | None
    signal: Signal
    beyond: int
    below: float | None
    above: float
    run: int = 25
    nan: bool = False
