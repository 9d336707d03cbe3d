"""The thermal signals of a channel: its thermal memory with one more sample, and what the rows compare of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel import thermal
from rfctl.kernel.expected import allowed_power_w, hold_power_w, terminal_power_w, tissue_power_w
from rfctl.kernel.limits import REMOVE_BELOW_C
from rfctl.kernel.phase import HEATING, Phase
from rfctl.kernel.thermal import AVERAGED, FOLLOWED, PICK_UP_NS, Thermal
from rfctl.model.plan import Medium

if TYPE_CHECKING:
    from rfctl.kernel.state import ChannelState, KernelState, Mean, Setup
    from rfctl.model.plan import Site
    from rfctl.model.reading import ChannelReading

RISE_JUDGED_FROM_K = 8.0
"""Predicted; less is within the noise of the reading and the error of the model."""
RAMP_JUDGED_BELOW_SET_K = 5.0
STANDS_STILL_AFTER_NS = 3_000_000_000
PICK_UP_K = 1.5
PICK_UP_STEPS = 2.0
AROUND_EDGES = frozenset({Phase.PROBE, Phase.LESION_OFF})
"""Phases, beside ramp and cooling, in which RF may just have gone on or off."""
REMEMBERED = FOLLOWED | AVERAGED | {Phase.COOLING}
"""Phases of which something is kept from sample to sample."""
COOLING_STEP_K = 1.0
"""Or a step of the display, where that is more: a reading that is lower by so much has fallen."""
FALLS_FROM_C = 60.0
"""From there on a tip falls by several K in 5 s, whatever was heated for how long."""
FALLS_WITHIN_NS = 5_000_000_000


class Signals(NamedTuple):
    """The last fields of a sample, in their order. None: not applicable now."""

    rise_share_pct: float | None = None
    hold_power_w: float | None = None
    hold_power_share_pct: float | None = None
    hold_ratio_most_pct: float | None = None
    hold_ratio_least_pct: float | None = None
    same_code_ramp_s: float | None = None
    same_code_hold_s: float | None = None
    pick_up_k: float | None = None
    biased: float | None = None
    power_limit_tissue_w: float | None = None
    temperature_at_rest_c: float | None = None
    from_cold_junction_k: float | None = None
    fallen_since_off_k: float | None = None
    stands_warm_s: float | None = None


NONE = Signals()


def fluid_of(channel: ChannelState) -> float:
    """f of the channel's impedance check and anaesthetic."""
    return channel.reference.fluid if channel.reference else 0.0


def expected_power_w(site: Site, channel: ChannelState) -> float:
    """P_exp of the channel's lesion, W in the tissue; not-a-number before the impedance check."""
    if channel.reference is None:
        return math.nan
    rise_k = site.lesions[channel.lesion].set_temperature_c - channel.reference.temperature_c
    return hold_power_w(site.electrode, rise_k, fluid_of(channel))


def pick_up_limit_k(setup: Setup) -> float:
    """A residual of more than this is not noise: 1.5 K, or two steps of the display."""
    return max(PICK_UP_K, PICK_UP_STEPS * setup.display_step_k)


def start_limit_w(setup: Setup, site: Site, channel: ChannelState) -> float:
    """The power limit in force from RF on, W at the terminals: the electrode's cap, at most the rating."""
    if channel.reference is None:
        return math.nan
    reference = channel.reference
    cap_w = terminal_power_w(site.electrode.power_cap_w, reference.after_ohm, reference.series_ohm)
    return min(setup.rated_power_w, cap_w)  # in this order not-a-number of either is kept


def near_set_limit_w(setup: Setup, site: Site, channel: ChannelState) -> float:
    """The most in the tissue that the time budget allows near the set temperature, W."""
    set_c = site.lesions[channel.lesion].set_temperature_c
    return allowed_power_w(site.electrode, set_c, expected_power_w(site, channel), setup.budget)


def _limit_in_force_w(setup: Setup, site: Site, channel: ChannelState) -> float:
    """The least limit of the coming lesion, W in the tissue."""
    if channel.reference is None:
        return math.nan
    reference = channel.reference
    start_w = tissue_power_w(start_limit_w(setup, site, channel), reference.after_ohm, reference.series_ohm)
    return min(start_w, near_set_limit_w(setup, site, channel))


def follow(setup: Setup, number: int, channel: ChannelState, measured: ChannelReading, now_ns: int) -> Thermal:
    """The channel's thermal memory with this reading in it."""
    memory, phase = channel.thermal, channel.phase
    if channel.site < 0 or setup.medium is Medium.LOAD or (phase not in REMEMBERED):
        return memory
    site = setup.plan.sites[channel.site]
    temperature_c, power_w = measured.temperature_c, 0.0
    if phase in FOLLOWED:
        if measured.rf_on:
            power_w = _tissue_w(channel, measured)
            if power_w != power_w:  # unknown: as much as it may have been
                power_w = site.electrode.power_cap_w
        same = temperature_c == memory.code_c
        memory = memory._replace(
            followed_ns=now_ns,
            rises_k=thermal.warmed(memory, site.electrode, power_w, now_ns),
            code_c=temperature_c,
            code_ns=memory.code_ns if same else now_ns,
        )
    if phase in AVERAGED:
        before = memory.halves
        memory = thermal.averaged(memory, power_w, temperature_c, now_ns)
        if phase is Phase.HOLD and memory.halves is not before and channel.figures and channel.reference:
            set_c, base_c = site.lesions[channel.lesion].set_temperature_c, channel.reference.temperature_c
            expected_w = expected_power_w(site, channel)
            memory = thermal.held(memory, base_c, (set_c - base_c) / expected_w, channel.figures.hold_ns)
    if phase is Phase.COOLING:
        step_k = max(COOLING_STEP_K, setup.display_step_k)
        memory = thermal.cooled(memory, temperature_c, step_k, channel.since_ns, now_ns)
    residual_k = _residual_k(memory, measured, now_ns)
    if residual_k is not None and not residual_k <= pick_up_limit_k(setup):
        memory = memory._replace(biased=True)
    return memory


def _tissue_w(channel: ChannelState, measured: ChannelReading) -> float:
    series_ohm = channel.reference.series_ohm if channel.reference else 0.0
    current_a = measured.current_ma_rms * 1e-3
    return current_a * current_a * (measured.impedance_ohm - series_ohm)


def _residual_k(memory: Thermal, measured: ChannelReading, now_ns: int) -> float | None:
    """How far the reading is from the line before the edge, K; None but in the 100 ms after it."""
    edge = memory.edge
    if edge is None or now_ns - edge.ns > PICK_UP_NS or measured.rf_on is not edge.on:
        return None
    return abs(measured.temperature_c - edge.temperature_c - edge.slope_k_per_s * (now_ns - edge.ns) * 1e-9)


def signals(
    state: KernelState,
    number: int,
    memory: Thermal,
    mean: Mean,
    measured: ChannelReading,
    now_ns: int,
    *,
    mean_is_complete: bool,
) -> Signals:
    """What the rows compare, from the memory with the reading in it."""
    setup, channel = state.setup, state.channels[number - 1]
    phase = channel.phase
    if channel.site < 0 or setup.medium is Medium.LOAD:
        return NONE
    if phase is Phase.RAMP:
        return _in_ramp(setup, channel, memory, measured, now_ns)
    if phase is Phase.HOLD:
        return _in_hold(setup, number, memory, now_ns)
    if phase in AROUND_EDGES:
        residual_k = _residual_k(memory, measured, now_ns)
        return NONE if residual_k is None else NONE._replace(pick_up_k=residual_k)
    if phase is Phase.COOLING:
        return _in_cooling(state, number, memory, measured, now_ns)
    if phase is Phase.ARM_READY:
        return _before_arming(setup, channel)
    if mean_is_complete and phase is Phase.IMPEDANCE:
        return _at_rest(setup, mean, measured)
    return NONE


def _in_ramp(setup: Setup, channel: ChannelState, memory: Thermal, measured: ChannelReading, now_ns: int) -> Signals:
    figures = channel.figures
    if figures is None:
        return NONE
    set_c = setup.plan.sites[channel.site].lesions[channel.lesion].set_temperature_c
    temperature_c = measured.temperature_c
    share = still_s = None
    predicted_k = thermal.predicted_rise_k(memory)
    if not predicted_k < RISE_JUDGED_FROM_K and not temperature_c >= set_c - RAMP_JUDGED_BELOW_SET_K:
        share = 100.0 * (temperature_c - memory.base_c) / predicted_k
    if now_ns - figures.rf_on_ns >= STANDS_STILL_AFTER_NS and not memory.lowered:
        still_s = (now_ns - memory.code_ns) * 1e-9
    return Signals(rise_share_pct=share, same_code_ramp_s=still_s, pick_up_k=_residual_k(memory, measured, now_ns))


def _in_hold(setup: Setup, number: int, memory: Thermal, now_ns: int) -> Signals:
    signs = memory.hold
    still_s = (now_ns - memory.code_ns) * 1e-9 if setup.noise_tells(number) else None
    if signs is None:
        return NONE if still_s is None else NONE._replace(same_code_hold_s=still_s)
    return Signals(
        hold_power_w=signs.power_w,
        hold_power_share_pct=signs.share_pct,
        hold_ratio_most_pct=signs.most_pct,
        hold_ratio_least_pct=signs.least_pct,
        same_code_hold_s=still_s,
    )


def _in_cooling(state: KernelState, number: int, memory: Thermal, measured: ChannelReading, now_ns: int) -> Signals:
    """Whether the tip cools, as long as no neighbour keeps it warm."""
    fallen_k = still_s = None
    others = [other for n, other in enumerate(state.channels, start=1) if n != number]
    if not any(other.phase in HEATING for other in others):
        alone_ns = max([other.off_ns for other in others], default=0)
        edge = memory.edge
        if edge is not None and not edge.temperature_c < FALLS_FROM_C:
            since_ns = max(edge.ns, alone_ns)
            fallen_k = edge.temperature_c - measured.temperature_c if now_ns - since_ns >= FALLS_WITHIN_NS else None
        if not measured.temperature_c < REMOVE_BELOW_C:
            still_s = (now_ns - max(memory.low_ns, alone_ns)) * 1e-9
    return Signals(pick_up_k=_residual_k(memory, measured, now_ns), fallen_since_off_k=fallen_k, stands_warm_s=still_s)


def _before_arming(setup: Setup, channel: ChannelState) -> Signals:
    """What refuses the arm. The limit is that of the lesion, also before its probe."""
    site = setup.plan.sites[channel.site]
    return Signals(
        biased=1.0 if channel.thermal.biased else 0.0, power_limit_tissue_w=_limit_in_force_w(setup, site, channel)
    )


def _at_rest(setup: Setup, mean: Mean, measured: ChannelReading) -> Signals:
    """In tissue, from the 5 s of the impedance check: a shorted thermocouple reads its cold junction."""
    if setup.medium is not Medium.TISSUE:
        return NONE
    temperature_c = mean.temperature_sum / mean.samples
    cold_c = measured.cold_junction_c
    return Signals(
        temperature_at_rest_c=temperature_c,
        from_cold_junction_k=abs(temperature_c - cold_c) if cold_c == cold_c else None,
    )
