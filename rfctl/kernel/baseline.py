"""Where a tip must be before RF: what a channel waits for, in words. Waiting is shown and never a trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.kernel.thermal import FIVE_SECONDS
from rfctl.model.plan import Medium

if TYPE_CHECKING:
    from rfctl.kernel.state import ChannelState, KernelState

FIRST_C = {Medium.TISSUE: (30.0, 40.0), Medium.PHANTOM: (15.0, 40.0)}
LATER_C = {Medium.TISSUE: (30.0, 45.0), Medium.PHANTOM: (15.0, 45.0)}
"""A load has no thermocouple."""
WARM_FOR_NS = 600_000_000_000
"""So long after RF its neighbours may still warm, too."""


def waits_for(state: KernelState, number: int, now_ns: int) -> str:
    """What the channel still waits for before it may be armed; empty where nothing is in the way."""
    setup, channel = state.setup, state.channels[number - 1]
    if setup.medium not in FIRST_C or not channel.history:
        return ""
    low_c, high_c = _window(state, now_ns)
    reading_c = channel.history[-1].temperature_c
    if not low_c <= reading_c <= high_c:
        return _outside(reading_c, low_c, high_c)
    if _warm(state, now_ns) and not _settled(channel, 0.5 * setup.display_step_k):
        return "heat is still coming from the lesion before: the tip must not be warming over 10 s"
    return ""


def too_hot_to_begin(state: KernelState, number: int, now_ns: int) -> str:
    """The tissue is hot from before, so that T0 and impedance would not be those of rest; empty where it is not."""
    channel = state.channels[number - 1]
    if state.setup.medium not in FIRST_C or not channel.history:
        return ""
    low_c, high_c = _window(state, now_ns)
    reading_c = channel.history[-1].temperature_c
    return _outside(reading_c, low_c, high_c) if reading_c > high_c else ""


def _outside(reading_c: float, low_c: float, high_c: float) -> str:
    return f"the tip reads {reading_c:.1f} degC; RF begins from {low_c:g} to {high_c:g} degC"


def _window(state: KernelState, now_ns: int) -> tuple[float, float]:
    return (LATER_C if _warm(state, now_ns) else FIRST_C)[state.setup.medium]


def _warm(state: KernelState, now_ns: int) -> bool:
    """This channel or a neighbour was heated not long ago."""
    heated_ns = max(channel.thermal.heated_ns for channel in state.channels)
    return heated_ns >= 0 and now_ns - heated_ns < WARM_FOR_NS


def _settled(channel: ChannelState, half_step_k: float) -> bool:
    """The mean of 5 s is not above the mean of the 5 s before by more than half a step of the display."""
    halves = channel.thermal.halves
    if len(halves) < 2 * FIVE_SECONDS:
        return False
    means = [half.temperature_c for half in halves]
    before, now = sum(means[:FIVE_SECONDS]), sum(means[FIVE_SECONDS:])
    return (now - before) / FIVE_SECONDS <= half_step_k
