"""Signals of one channel that show its meters, its mode or its place at fault: V x I against P, current, idle slope."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rfctl.kernel.phase import HEATING, LESION, Phase
from rfctl.model.capability import SetPoint
from rfctl.model.reading import Mode

if TYPE_CHECKING:
    from rfctl.kernel.state import ChannelState, KernelState, Sample
    from rfctl.model.reading import ChannelReading, Reading

HALF_SECOND_NS = 500_000_000
IDLE_SLOPE_NS = 1_000_000_000
IDLE_POWER_W = 0.2
SETTLED_NS = 3_000_000_000
"""After its own RF a tip that is read late goes on rising for this long."""
PLACED = frozenset(
    {
        Phase.LESION_READY,
        Phase.ARM_READY,
        Phase.LESION_INTENT,
        Phase.CONFIGURING,
        Phase.ARMING,
        Phase.ARMED,
        Phase.DISARM_OFF,
        Phase.PROBE_OFF,
        Phase.LESION_OFF,
        Phase.COOLING,
        Phase.DONE,
    }
)
"""The electrode lies where it was checked, and nobody handles it: inserted by hand a tip warms faster than by heat."""
ENDS = 5
"""Samples at each end of the second that a slope is taken over."""
MODES = {None: Mode.LESION_TEMPERATURE, SetPoint.VOLTAGE: Mode.LESION_VOLTAGE, SetPoint.POWER: Mode.LESION_POWER}


Supervised = tuple[float | None, float | None, float | None, float | None, float | None, float | None]
"""power_mean_w, power_difference_w, current_a, mode_wrong, idle_slope_k_per_s, armed_s."""
NOT_SUPERVISED: Supervised = (None, None, None, None, None, None)
"""Of a channel without a site."""


def supervised(state: KernelState, number: int, reading: Reading, now_ns: int) -> Supervised:
    """The signals of channel ``number`` in this reading, in the order in which they end a Sample."""
    channel = state.channels[number - 1]
    measured = reading.channels[number - 1]
    phase = channel.phase
    mean_w = difference_w = None
    figures = channel.figures if phase in HEATING and state.setup.voltage_measured else None
    if figures is not None and now_ns - figures.rf_on_ns >= HALF_SECOND_NS:
        mean_w, difference_w = _difference(channel.history, now_ns, measured.power_w, apparent_power_w(measured))
    return (
        mean_w,
        difference_w,
        measured.current_ma_rms * 1e-3 if phase in LESION else None,
        _mode_wrong(state, phase, measured),
        _idle_slope(state, number, measured, now_ns) if phase in PLACED else None,
        _armed_s(channel, now_ns) if phase is Phase.ARMED else None,
    )


def _armed_s(channel: ChannelState, now_ns: int) -> float:
    """How long ago the token was given, s; one that never was is as old as can be."""
    return (now_ns - channel.since_ns) / 1e9 if channel.token else math.inf


def apparent_power_w(measured: ChannelReading) -> float:
    """V rms x I rms at the terminals, W."""
    return measured.voltage_v_rms * measured.current_ma_rms * 1e-3


def _difference(recent: tuple[Sample, ...], now_ns: int, power_w: float, apparent_w: float) -> tuple[float, float]:
    """Means over one window of half a second: the power, and by how much V x I differs from it, W."""
    powers, apparents, count = power_w, apparent_w, 1
    for sample in reversed(recent):
        if now_ns - sample.now_ns >= HALF_SECOND_NS:
            break
        powers += sample.power_w
        apparents += sample.apparent_power_w
        count += 1
    return powers / count, abs(apparents - powers) / count


def _mode_wrong(state: KernelState, phase: Phase, measured: ChannelReading) -> float | None:
    """The generator is in another mode than it was set to; None where it does not say."""
    if measured.mode is None:
        return None
    if phase in HEATING:
        return 0.0 if measured.mode == MODES[state.setup.set_point] else 1.0
    return None


def _idle_slope(state: KernelState, number: int, measured: ChannelReading, now_ns: int) -> float | None:
    """While another channel heats and this one has long had no power: how fast its tip warms, K/s."""
    channel = state.channels[number - 1]
    if now_ns - channel.off_ns < SETTLED_NS or measured.power_w >= IDLE_POWER_W or not _heats_beside(state, now_ns):
        return None
    recent = channel.history
    if len(recent) < 2 * ENDS or now_ns - recent[0].now_ns < IDLE_SLOPE_NS:
        return None
    early, late = recent[:ENDS], recent[-ENDS + 1 :]
    before_c = sum([sample.temperature_c for sample in early]) / ENDS
    before_ns = sum([sample.now_ns for sample in early]) // ENDS
    after_c = (sum([sample.temperature_c for sample in late]) + measured.temperature_c) / ENDS
    after_ns = (sum([sample.now_ns for sample in late]) + now_ns) // ENDS
    return (after_c - before_c) / ((after_ns - before_ns) / 1e9)


def _heats_beside(state: KernelState, now_ns: int) -> bool:
    """Another channel has been heating for longer than the slope is taken over."""
    return any(
        channel.phase in HEATING and channel.figures is not None and now_ns - channel.figures.rf_on_ns > IDLE_SLOPE_NS
        for channel in state.channels
    )
