"""What a lesion delivers, summed sample by sample: energy, held time, warmth, the least impedance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.kernel.expected import drying_per_s
from rfctl.kernel.guards import lesion_of, site_of
from rfctl.kernel.limits import REMOVE_BELOW_C
from rfctl.kernel.phase import Phase
from rfctl.kernel.signals_thermal import fluid_of

if TYPE_CHECKING:
    from rfctl.kernel.state import Figures, KernelState, Sample

SAMPLE_S_AT_MOST = 0.075
"""A longer time between two samples means that one was missed."""


def with_sample(figures: Figures, state: KernelState, number: int, sample: Sample, power_w: float) -> Figures:
    """With the sample of a channel that heats; ``power_w`` is at the terminals, W."""
    channel = state.channels[number - 1]
    dt_s = (sample.now_ns - figures.last_ns) / 1e9
    cap_w = site_of(state, number).electrode.power_cap_w
    temperature_c = sample.temperature_c
    half, least = sample.impedance_half_ohm, figures.impedance_min_ohm
    least *= 1.0 + drying_per_s(fluid_of(channel)) * dt_s  # what the fluid gives back is no char
    if half is not None and half > 0.0:
        least = min(least or half, half)
    held_s, held_k_s, within_s = figures.held_s, figures.held_k_s, figures.within_2c_s
    if channel.phase is Phase.HOLD and temperature_c == temperature_c:
        held_s += dt_s
        held_k_s += temperature_c * dt_s
        if abs(temperature_c - lesion_of(state, number).set_temperature_c) <= 2.0:
            within_s += dt_s
    return figures._replace(
        peak_c=max(figures.peak_c, temperature_c),
        energy_j=figures.energy_j + _tissue_j(sample.power_tissue_w, cap_w, dt_s),
        generator_energy_j=figures.generator_energy_j + _known(power_w, channel.power_limit_w) * dt_s,
        held_s=held_s,
        held_k_s=held_k_s,
        within_2c_s=within_s,
        impedance_min_ohm=least,
        last_ns=sample.now_ns,
        above_45_k_s=figures.above_45_k_s + _above_45_k_s(temperature_c, dt_s),
    )


def cooled(figures: Figures, sample: Sample, before_ns: int) -> Figures:
    """With the heat after RF off."""
    dt_s = (sample.now_ns - before_ns) / 1e9
    warmth = figures.above_45_k_s + _above_45_k_s(sample.temperature_c, dt_s)
    return figures._replace(above_45_k_s=warmth)


def _above_45_k_s(temperature_c: float, dt_s: float) -> float:
    return max(0.0, temperature_c - REMOVE_BELOW_C) * dt_s  # in this order not-a-number counts as nothing


def _tissue_j(power_w: float, cap_w: float, dt_s: float) -> float:
    """Energy since the sample before; what a missed sample did not show counts at the electrode's cap."""
    missed_s = max(dt_s - SAMPLE_S_AT_MOST, 0.0)
    return _known(power_w, cap_w) * (dt_s - missed_s) + cap_w * missed_s


def _known(power_w: float, most_w: float) -> float:
    """The power, or the most that it may have been where there is no number."""
    return power_w if power_w == power_w else most_w
