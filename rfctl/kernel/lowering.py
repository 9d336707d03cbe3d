"""Near the set temperature the power limit is lowered once, to what the time budget allows; it never rises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rfctl.kernel.actions import f32, with_channel
from rfctl.kernel.effects import LowerLimit
from rfctl.kernel.expected import LOWERED_BELOW_SET_K, terminal_power_w
from rfctl.kernel.phase import Phase
from rfctl.kernel.signals_thermal import near_set_limit_w
from rfctl.model.plan import Medium

if TYPE_CHECKING:
    from rfctl.kernel.actions import Result
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import ChannelState, KernelState

HEATED = frozenset({Phase.RAMP, Phase.HOLD})


def lower_limits(state: KernelState) -> Result:
    """The limits that are due now, each written once and read back. From this decision on permits cover no more."""
    effects: tuple[Effect, ...] = ()
    if state.setup.medium is Medium.LOAD:
        return state, effects
    for number, channel in enumerate(state.channels, start=1):
        memory = channel.thermal
        if channel.phase not in HEATED or (memory.lowered and not memory.limit_due):
            continue
        site = state.setup.plan.sites[channel.site]
        set_c = site.lesions[channel.lesion].set_temperature_c
        if not memory.lowered:
            if channel.history[-1].temperature_c < set_c - LOWERED_BELOW_SET_K:
                continue
            most_w = f32(_at_the_terminals_w(channel, near_set_limit_w(state.setup, site, channel)))
            if not most_w < channel.power_limit_w:
                memory = memory._replace(lowered=True)
                state = with_channel(state, number, channel._replace(thermal=memory))
                continue
            channel = _narrowed(channel, most_w)
        memory = channel.thermal._replace(lowered=True, limit_due=False)
        state = with_channel(state, number, channel._replace(thermal=memory))
        effects = (*effects, LowerLimit(number, channel.power_limit_w))
    return state, effects


def limit_again(state: KernelState, number: int) -> KernelState:
    """Nobody knows whether the limit was written: the next decision writes it again."""
    channel = state.channels[number - 1]
    return with_channel(state, number, channel._replace(thermal=channel.thermal._replace(limit_due=True)))


def _at_the_terminals_w(channel: ChannelState, tissue_w: float) -> float:
    """By the impedance measured now, as the mean of half a second where there is one."""
    newest, reference = channel.history[-1], channel.reference
    series_ohm = reference.series_ohm if reference else 0.0
    half_ohm = newest.impedance_half_ohm
    return terminal_power_w(tissue_w, newest.impedance_ohm if half_ohm is None else half_ohm + series_ohm, series_ohm)


def _narrowed(channel: ChannelState, power_w: float) -> ChannelState:
    """Limit, envelope and the station's own control are no wider than this."""
    envelope = replace(channel.intended.envelope, power_w=power_w)
    regulator = channel.regulator
    if regulator is not None:
        regulator = regulator._replace(aim=regulator.aim._replace(limit_w=power_w))
    return channel._replace(
        power_limit_w=power_w, intended=replace(channel.intended, envelope=envelope), regulator=regulator
    )
