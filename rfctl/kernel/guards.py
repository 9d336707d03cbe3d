"""The conditions of the transition table, each a named question about one channel."""

from __future__ import annotations

from collections.abc import Callable

from rfctl.kernel.interlocks import averaging_ends_ns, has_output
from rfctl.kernel.limits import (
    ARM_TOKEN_NS,
    PERMIT_NS,
    REMOVE_BELOW_C,
    STIMULATION_SLEW_V_PER_S,
    STIMULATION_STEP_V,
)
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import ChannelState, KernelState
from rfctl.model.plan import Site, StimulationCheck, TimerDefinition, Use
from rfctl.model.reading import ChannelReading

Guard = Callable[[KernelState, int, int], bool]
"""(state, channel number, now_ns) -> whether it holds."""

AMPLITUDE_TOLERANCE_V = 0.02
MOTOR_OBSERVE_NS = 1_000_000_000
"""The motor target is held for two pulses at 2 Hz before "no response" is taken."""


def site_of(state: KernelState, number: int) -> Site:
    """The site under work on the channel."""
    return state.setup.plan.sites[state.channels[number - 1].site]


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


def anaesthetic_not_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).anaesthetic.use is Use.NOT_USED


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


def may_fire(state: KernelState, number: int, now_ns: int) -> bool:
    """The token is valid, and what is known of the channel is as fresh as it must be while RF is on."""
    return token_valid(state, number, now_ns) and now_ns - state.received_ns <= PERMIT_NS


def token_expired(state: KernelState, number: int, now_ns: int) -> bool:
    return not token_valid(state, number, now_ns)


def set_temperature_reached(state: KernelState, number: int, _now_ns: int) -> bool:
    history = _channel(state, number).history
    return bool(history) and history[-1].temperature_c >= site_of(state, number).lesion.set_temperature_c - 1.0


def hold_is_over(state: KernelState, number: int, now_ns: int) -> bool:
    channel, lesion = _channel(state, number), site_of(state, number).lesion
    if channel.figures is None:
        return False
    from_rf_on = lesion.timer is TimerDefinition.RF_ON
    start_ns = channel.figures.rf_on_ns if from_rf_on else channel.figures.hold_ns
    return now_ns - start_ns >= lesion.hold_s * 1e9


def cool_enough(state: KernelState, number: int, _now_ns: int) -> bool:
    history = _channel(state, number).history
    return bool(history) and history[-1].temperature_c < REMOVE_BELOW_C
