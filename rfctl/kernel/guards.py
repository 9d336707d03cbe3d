"""The conditions of the transition table, each a named question about one channel."""

from __future__ import annotations

import math
from collections.abc import Callable

from rfctl.kernel.interlocks import averaging_ends_ns, has_output
from rfctl.kernel.limits import (
    ARM_TOKEN_NS,
    PERMIT_NS,
    PROBE_RISE_K,
    REMOVE_BELOW_C,
    STIMULATION_SLEW_V_PER_S,
    STIMULATION_STEP_V,
)
from rfctl.kernel.phase import ARMING, CHECKING, LESION, OVER, Phase
from rfctl.kernel.state import ChannelState, KernelState
from rfctl.model.plan import Lesion, Site, StimulationCheck, TimerDefinition, Use
from rfctl.model.reading import ChannelReading

Guard = Callable[[KernelState, int, int], bool]
"""(state, channel number, now_ns) -> whether it holds."""

AMPLITUDE_TOLERANCE_V = 0.02
MOTOR_OBSERVE_NS = 1_000_000_000
"""The motor target is held for two pulses at 2 Hz before "no response" is taken."""


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


def check_of(state: KernelState, number: int) -> StimulationCheck:
    """The stimulation check under work on the channel."""
    motor = {Phase.MOTOR_NEXT, Phase.MOTOR_INTENT, Phase.MOTOR_SETUP, Phase.MOTOR}
    site = site_of(state, number)
    return site.motor if state.channels[number - 1].phase in motor else site.sensory


def motor_target_v(state: KernelState, number: int) -> float:
    """Amplitude up to which a response is looked for: max(2 x sensory threshold, the plan's target), V."""
    sensory = state.channels[number - 1].sensory
    twice = 2.0 * sensory.amplitude_v if sensory and sensory.amplitude_v is not None else 0.0
    motor = site_of(state, number).motor
    return min(max(twice, motor.target_v), motor.maximum_v)


def ceiling_v(state: KernelState, number: int) -> float:
    """Highest amplitude of the running check, V; also the envelope of its intent."""
    check = check_of(state, number)
    return motor_target_v(state, number) if check is site_of(state, number).motor else check.maximum_v


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


def sensory_not_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).sensory.use is Use.NOT_USED


def motor_not_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).motor.use is Use.NOT_USED


def turn_has_come(state: KernelState, number: int, _now_ns: int) -> bool:
    """No other channel is being checked, and every earlier site has been."""
    site = _channel(state, number).site
    return not _others(state, number, CHECKING) and not any(
        channel.phase is Phase.QUEUED and channel.site < site for channel in state.channels
    )


def _all_checked(state: KernelState, number: int) -> bool:
    return not _others(state, number, CHECKING | {Phase.QUEUED})


def nobody_asked(state: KernelState, _number: int, _now_ns: int) -> bool:
    """No question is open: there is one at a time."""
    return state.question is None


def all_checked_and_no_anaesthetic_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return _all_checked(state, number) and site_of(state, number).anaesthetic.use is Use.NOT_USED


def all_checked_and_nobody_asked(state: KernelState, number: int, now_ns: int) -> bool:
    return _all_checked(state, number) and nobody_asked(state, number, now_ns)


def amplitude_delivered(state: KernelState, number: int, _now_ns: int) -> bool:
    """The stimulator delivers what was last asked for, and that is more than nothing."""
    channel, measured = _channel(state, number), _measured(state, number)
    return (
        measured is not None
        and channel.amplitude_v > 0.0
        and abs(measured.stimulation_amplitude - channel.amplitude_v) <= AMPLITUDE_TOLERANCE_V
    )


def may_step(state: KernelState, number: int, now_ns: int) -> bool:
    """One more step stays below the ceiling, the last one has been delivered, and the slew limit allows it."""
    channel = _channel(state, number)
    return (
        channel.amplitude_v + STIMULATION_STEP_V <= ceiling_v(state, number) + 1e-9
        and (channel.amplitude_v == 0.0 or amplitude_delivered(state, number, now_ns))
        and now_ns - channel.stepped_ns >= STIMULATION_STEP_V / STIMULATION_SLEW_V_PER_S * 1e9
    )


def motor_target_delivered(state: KernelState, number: int, now_ns: int) -> bool:
    channel = _channel(state, number)
    return (
        amplitude_delivered(state, number, now_ns)
        and channel.amplitude_v >= motor_target_v(state, number) - STIMULATION_STEP_V / 2
        and now_ns - channel.stepped_ns >= MOTOR_OBSERVE_NS
    )


def output_is_off(state: KernelState, number: int, now_ns: int) -> bool:
    """By measurement, in a sample taken after off was sent."""
    measured = _measured(state, number)
    return measured is not None and state.received_ns > _channel(state, number).off_ns and not has_output(measured)


def output_is_off_and_nobody_asked(state: KernelState, number: int, now_ns: int) -> bool:
    return output_is_off(state, number, now_ns) and nobody_asked(state, number, now_ns)


def off_and_threshold_met(state: KernelState, number: int, now_ns: int) -> bool:
    sensory = _channel(state, number).sensory
    return (
        output_is_off(state, number, now_ns)
        and sensory is not None
        and sensory.amplitude_v is not None
        and sensory.amplitude_v <= site_of(state, number).sensory.target_v + 1e-9
    )


def token_valid(state: KernelState, number: int, now_ns: int) -> bool:
    channel = _channel(state, number)
    return channel.token != 0 and now_ns - channel.since_ns < ARM_TOKEN_NS


def arming_turn_has_come(state: KernelState, number: int, _now_ns: int) -> bool:
    """The word to arm was given; a probe is alone."""
    alone = not _channel(state, number).probing or not _others(state, number, ARMING | LESION | {Phase.PROBE_OFF})
    return number in state.group and bool(state.armed_by) and alone


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


def token_expired(state: KernelState, number: int, now_ns: int) -> bool:
    return not token_valid(state, number, now_ns)


def set_temperature_reached(state: KernelState, number: int, _now_ns: int) -> bool:
    history = _channel(state, number).history
    return bool(history) and history[-1].temperature_c >= lesion_of(state, number).set_temperature_c - 1.0


def hold_is_over(state: KernelState, number: int, now_ns: int) -> bool:
    channel, lesion = _channel(state, number), lesion_of(state, number)
    if channel.figures is None:
        return False
    from_rf_on = lesion.timer is TimerDefinition.RF_ON
    start_ns = channel.figures.rf_on_ns if from_rf_on else channel.figures.hold_ns
    return now_ns - start_ns >= lesion.hold_s * 1e9


def _cool(state: KernelState, number: int) -> bool:
    history = _channel(state, number).history
    return bool(history) and history[-1].temperature_c < REMOVE_BELOW_C


def _lesions_left(state: KernelState, number: int) -> bool:
    return _channel(state, number).lesion + 1 < len(site_of(state, number).lesions)


def cool_enough_and_another_lesion_planned(state: KernelState, number: int, now_ns: int) -> bool:
    return _cool(state, number) and _lesions_left(state, number) and nobody_asked(state, number, now_ns)


def cool_enough_and_last_lesion(state: KernelState, number: int, _now_ns: int) -> bool:
    return _cool(state, number) and not _lesions_left(state, number)
