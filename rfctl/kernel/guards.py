"""The conditions of the transition table, each a named question about one channel."""

from __future__ import annotations

import math
from collections.abc import Callable

from rfctl.kernel.baseline import too_hot_to_begin
from rfctl.kernel.interlocks import averaging_ends_ns, has_output
from rfctl.kernel.limits import (
    ARM_TOKEN_NS,
    PERMIT_NS,
    PROBE_RISE_K,
    REMOVE_BELOW_C,
)
from rfctl.kernel.phase import ARMING, CHECKING, LESION, OVER, Phase
from rfctl.kernel.state import ChannelState, KernelState
from rfctl.model.plan import Lesion, Medium, Site, TimerDefinition, Use
from rfctl.model.reading import ChannelReading

Guard = Callable[[KernelState, int, int], bool]
"""(state, channel number, now_ns) -> whether it holds."""

REACHED = 0.9
"""Of the power that a load is planned to take."""
PROBE_BASELINE_NS = 1_000_000_000
"""A tip that was probed just before warms on by the thermocouple's lag: its baseline is a second without RF."""


def site_of(state: KernelState, number: int) -> Site:
    """The site under work on the channel."""
    return state.setup.plan.sites[state.channels[number - 1].site]


def lesion_of(state: KernelState, number: int) -> Lesion:
    """The lesion under work on the channel, or the next one."""
    return site_of(state, number).lesions[state.channels[number - 1].lesion]


def under_work(state: KernelState) -> list[int]:
    """Channels at whose site something is still to be done."""
    return [n for n, channel in enumerate(state.channels, start=1) if channel.site >= 0 and channel.phase not in OVER]


def _others(state: KernelState, number: int, phases: frozenset[Phase]) -> bool:
    """Another channel is in one of these phases."""
    return any(channel.phase in phases for n, channel in enumerate(state.channels, start=1) if n != number)


def _channel(state: KernelState, number: int) -> ChannelState:
    return state.channels[number - 1]


def _measured(state: KernelState, number: int) -> ChannelReading | None:
    return state.reading.channels[number - 1] if state.reading else None


def always(_state: KernelState, _number: int, _now_ns: int) -> bool:
    return True


def impedance_measured(state: KernelState, number: int, now_ns: int) -> bool:
    channel = _channel(state, number)
    end_ns = averaging_ends_ns(state.setup, channel)
    return end_ns is not None and now_ns >= end_ns and channel.mean.samples > 0


def turn_has_come(state: KernelState, number: int, _now_ns: int) -> bool:
    """No other channel is being checked, and every earlier site has been."""
    site = _channel(state, number).site
    return not _others(state, number, CHECKING) and not any(
        channel.phase is Phase.QUEUED and channel.site < site for channel in state.channels
    )


def turn_has_come_and_tip_is_hot(state: KernelState, number: int, now_ns: int) -> bool:
    """Its turn, and the tissue has not cooled from what heated it before."""
    return turn_has_come(state, number, now_ns) and bool(too_hot_to_begin(state, number, now_ns))


def _all_checked(state: KernelState, number: int) -> bool:
    return not _others(state, number, CHECKING | {Phase.QUEUED})


def nobody_asked(state: KernelState, _number: int, _now_ns: int) -> bool:
    """No question is open: there is one at a time."""
    return state.question is None


def all_checked_and_no_anaesthetic_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return _all_checked(state, number) and site_of(state, number).anaesthetic.use is Use.NOT_USED


def all_checked_and_nobody_asked(state: KernelState, number: int, now_ns: int) -> bool:
    return _all_checked(state, number) and nobody_asked(state, number, now_ns)


def output_is_off(state: KernelState, number: int, now_ns: int) -> bool:
    """By measurement, in a sample taken after off was sent."""
    measured = _measured(state, number)
    return measured is not None and state.received_ns > _channel(state, number).off_ns and not has_output(measured)


def output_is_off_and_nobody_asked(state: KernelState, number: int, now_ns: int) -> bool:
    return output_is_off(state, number, now_ns) and nobody_asked(state, number, now_ns)


def token_valid(state: KernelState, number: int, now_ns: int) -> bool:
    channel = _channel(state, number)
    return channel.token != 0 and now_ns - channel.since_ns < ARM_TOKEN_NS


def arming_turn_has_come(state: KernelState, number: int, now_ns: int) -> bool:
    """The word to arm was given; a probe is alone, and nothing that it is compared with has just been heated."""
    if number not in state.group or not state.armed_by:
        return False
    if not _channel(state, number).probing:
        return True
    settled = all(
        now_ns - other.off_ns >= PROBE_BASELINE_NS for n, other in enumerate(state.channels, start=1) if n != number
    )
    return settled and not _others(state, number, ARMING | LESION | {Phase.PROBE_OFF})


def started(state: KernelState, number: int, now_ns: int) -> bool:
    """The word to start the group was given, and the channel may fire."""
    return state.started and may_fire(state, number, now_ns)


def group_may_fire(state: KernelState, number: int, now_ns: int) -> bool:
    """Every channel that waits for the word to start may fire, so that none is left behind."""
    return all(
        may_fire(state, n, now_ns) for n in state.group if state.channels[n - 1].phase is Phase.ARMED
    ) and may_fire(state, number, now_ns)


def probing(state: KernelState, number: int, _now_ns: int) -> bool:
    return _channel(state, number).probing


def rise_k(channel: ChannelState) -> float:
    """Rise of the newest reading over T_start, K; not-a-number without either."""
    if channel.figures is None or not channel.history:
        return math.nan
    return channel.history[-1].temperature_c - channel.figures.start_c


def own_tip_warms(state: KernelState, number: int, _now_ns: int) -> bool:
    return rise_k(_channel(state, number)) >= PROBE_RISE_K


def may_fire(state: KernelState, number: int, now_ns: int) -> bool:
    """The token is valid, and what is known of the channel is as fresh as it must be while RF is on."""
    return token_valid(state, number, now_ns) and now_ns - state.received_ns <= PERMIT_NS


def set_temperature_reached(state: KernelState, number: int, _now_ns: int) -> bool:
    history = _channel(state, number).history
    return bool(history) and history[-1].temperature_c >= lesion_of(state, number).set_temperature_c - 1.0


def planned_power_reached(state: KernelState, number: int, _now_ns: int) -> bool:
    """In a load, that has no temperature."""
    planned_w, measured = lesion_of(state, number).power_w, _measured(state, number)
    return planned_w is not None and measured is not None and measured.power_w >= REACHED * planned_w


def hold_is_over(state: KernelState, number: int, now_ns: int) -> bool:
    channel, lesion = _channel(state, number), lesion_of(state, number)
    if channel.figures is None:
        return False
    from_rf_on = lesion.timer is TimerDefinition.RF_ON
    start_ns = channel.figures.rf_on_ns if from_rf_on else channel.figures.hold_ns
    return now_ns - start_ns >= lesion.hold_s * 1e9


def _cool(state: KernelState, number: int) -> bool:
    """Or a load, which says nothing of how warm it is and hurts nobody."""
    history = _channel(state, number).history
    return bool(history) and (history[-1].temperature_c < REMOVE_BELOW_C or state.setup.medium is Medium.LOAD)


def _lesions_left(state: KernelState, number: int) -> bool:
    return _channel(state, number).lesion + 1 < len(site_of(state, number).lesions)


def cool_enough_and_another_lesion_planned(state: KernelState, number: int, now_ns: int) -> bool:
    return _cool(state, number) and _lesions_left(state, number) and nobody_asked(state, number, now_ns)


def cool_enough_and_last_lesion(state: KernelState, number: int, _now_ns: int) -> bool:
    return _cool(state, number) and not _lesions_left(state, number)
