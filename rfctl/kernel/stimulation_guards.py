"""The conditions of the stimulation checks, and of what their result permits: questions about one channel."""

from __future__ import annotations

import math

from rfctl.kernel.guards import nobody_asked, output_is_off, site_of
from rfctl.kernel.interlocks import has_output
from rfctl.kernel.phase import MOTOR_CHECK
from rfctl.kernel.signals_stimulation import MODES
from rfctl.kernel.state import ChannelState, KernelState
from rfctl.kernel.stimulation import (
    ACCEPTED_UP_TO,
    CONFIRMED_ABOVE,
    IMPEDANCE_WITHIN,
    SHORTEST_REASON,
    STIMULATION_SLEW_PER_S,
    STIMULATION_STEP,
    Check,
)
from rfctl.model.plan import Medium, StimulationCheck, Use
from rfctl.model.reading import ChannelReading

AMPLITUDE_TOLERANCE = 0.02
RATE_TOLERANCE_HZ = 0.1
WIDTH_TOLERANCE_US = 5
MOTOR_OBSERVE_NS = 1_000_000_000
"""The motor target is held for two pulses at 2 Hz before "no response" is taken."""
ON_GRID = 1e-9
LAST_SECOND_NS = 1_000_000_000


def _channel(state: KernelState, number: int) -> ChannelState:
    return state.channels[number - 1]


def _measured(state: KernelState, number: int) -> ChannelReading | None:
    return state.reading.channels[number - 1] if state.reading else None


# what is aimed at


def check_of(state: KernelState, number: int) -> StimulationCheck:
    """The stimulation check under work on the channel, as planned."""
    channel, site = _channel(state, number), site_of(state, number)
    return site.motor if channel.phase in MOTOR_CHECK else site.sensory


def motor_target(state: KernelState, number: int) -> float:
    """Amplitude up to which a response is looked for: max(2 x sensory threshold, the plan's target), V or mA."""
    sensory = _channel(state, number).sensory
    twice = 2.0 * sensory.amplitude if sensory and sensory.amplitude is not None else 0.0
    steps = math.ceil(twice / STIMULATION_STEP - 1e-6)  # a threshold may lie between two steps
    return max(round(steps * STIMULATION_STEP, 6), site_of(state, number).motor.target)


def first_envelope(state: KernelState, number: int) -> float:
    """Where the first intent of a check ends: what can be accepted; of a motor check what takes no confirmation."""
    check = check_of(state, number)
    if check is site_of(state, number).motor:
        return min(motor_target(state, number), CONFIRMED_ABOVE)
    return min(ACCEPTED_UP_TO * check.target, check.maximum)


def last_envelope(state: KernelState, number: int) -> float:
    """Where the check ends."""
    check = check_of(state, number)
    return motor_target(state, number) if check is site_of(state, number).motor else check.maximum


def ceiling(state: KernelState, number: int) -> float:
    """Highest amplitude under the intent of the running check, V or mA."""
    confirmed = _channel(state, number).stimulation.confirmed
    return last_envelope(state, number) if confirmed else first_envelope(state, number)


# which checks


def sensory_not_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).sensory.use is Use.NOT_USED


def motor_not_used(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).motor.use is Use.NOT_USED


def sensory_optional_and_nobody_asked(state: KernelState, number: int, now_ns: int) -> bool:
    return site_of(state, number).sensory.use is Use.OPTIONAL and nobody_asked(state, number, now_ns)


def motor_optional_and_nobody_asked(state: KernelState, number: int, now_ns: int) -> bool:
    return site_of(state, number).motor.use is Use.OPTIONAL and nobody_asked(state, number, now_ns)


def sensory_required_and_every_output_off(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).sensory.use is Use.REQUIRED and every_output_is_off(state)


def motor_required_and_every_output_off(state: KernelState, number: int, _now_ns: int) -> bool:
    return site_of(state, number).motor.use is Use.REQUIRED and every_output_is_off(state)


def every_output_off(state: KernelState, _number: int, _now_ns: int) -> bool:
    return every_output_is_off(state)


def every_output_is_off(state: KernelState) -> bool:
    """By measurement, on every channel: stimulation begins out of nothing, and so does RF."""
    return state.reading is not None and not any(has_output(channel) for channel in state.reading.channels)


def sensory_under_work(state: KernelState, number: int, _now_ns: int) -> bool:
    return _channel(state, number).stimulation.open_check is Check.SENSORY


def motor_under_work(state: KernelState, number: int, _now_ns: int) -> bool:
    return _channel(state, number).stimulation.open_check is Check.MOTOR


# the amplitude


def settings_read_back(state: KernelState, number: int) -> bool:
    """Mode, rate and width are in force as planned, in a sample that was taken since the stimulator is on."""
    channel, measured, check = _channel(state, number), _measured(state, number), check_of(state, number)
    return (
        measured is not None
        and state.received_ns > channel.since_ns
        and measured.mode in {None, MODES[check.unit]}
        and not abs(measured.stimulation_rate_hz - check.rate_hz) > RATE_TOLERANCE_HZ
        and not abs((measured.stimulation_width_us or check.width_us) - check.width_us) > WIDTH_TOLERANCE_US
    )


def amplitude_delivered(state: KernelState, number: int, _now_ns: int) -> bool:
    """The stimulator delivers what was last asked for, and that is more than nothing."""
    channel, measured = _channel(state, number), _measured(state, number)
    return (
        measured is not None
        and channel.amplitude > 0.0
        and abs(measured.stimulation_amplitude - channel.amplitude) <= AMPLITUDE_TOLERANCE
    )


def something_is_delivered(state: KernelState, number: int, _now_ns: int) -> bool:
    """The stimulator delivers more than nothing, perhaps on its way to what was asked for."""
    measured = _measured(state, number)
    return measured is not None and measured.stimulation_amplitude > AMPLITUDE_TOLERANCE


def may_step(state: KernelState, number: int, now_ns: int) -> bool:
    """One more step stays below the ceiling, the last one has been delivered, and the slew limit allows it."""
    channel = _channel(state, number)
    return (
        channel.amplitude + STIMULATION_STEP <= ceiling(state, number) + ON_GRID
        and (amplitude_delivered(state, number, now_ns) if channel.amplitude else settings_read_back(state, number))
        and now_ns - channel.stepped_ns >= STIMULATION_STEP / STIMULATION_SLEW_PER_S * 1e9
    )


def may_step_down(state: KernelState, number: int, _now_ns: int) -> bool:
    return _channel(state, number).amplitude >= STIMULATION_STEP - ON_GRID


def envelope_ends_before_the_check(state: KernelState, number: int, now_ns: int) -> bool:
    """The next step takes another intent, which takes another word."""
    channel = _channel(state, number)
    return (
        amplitude_delivered(state, number, now_ns)
        and channel.amplitude + STIMULATION_STEP > ceiling(state, number) + ON_GRID
        and channel.amplitude + STIMULATION_STEP <= last_envelope(state, number) + ON_GRID
    )


def motor_target_delivered(state: KernelState, number: int, now_ns: int) -> bool:
    channel = _channel(state, number)
    return (
        amplitude_delivered(state, number, now_ns)
        and channel.amplitude >= motor_target(state, number) - STIMULATION_STEP / 2
        and now_ns - channel.stepped_ns >= MOTOR_OBSERVE_NS
    )


# the threshold


def off_and_threshold_met(state: KernelState, number: int, now_ns: int) -> bool:
    sensory = _channel(state, number).sensory
    return (
        output_is_off(state, number, now_ns)
        and sensory is not None
        and sensory.amplitude is not None
        and sensory.amplitude <= site_of(state, number).sensory.target + ON_GRID
    )


def motor_reaches_twice_the_threshold(state: KernelState, number: int) -> bool:
    """The plan's motor check goes as far as this threshold asks for; where there is none, nothing asks."""
    motor = site_of(state, number).motor
    return motor.use is Use.NOT_USED or motor_target(state, number) <= motor.maximum + ON_GRID


def threshold_may_be_accepted(state: KernelState, number: int, _now_ns: int) -> bool:
    sensory = _channel(state, number).sensory
    most = ACCEPTED_UP_TO * site_of(state, number).sensory.target
    return (
        sensory is not None
        and sensory.amplitude is not None
        and sensory.amplitude <= most + ON_GRID
        and motor_reaches_twice_the_threshold(state, number)
    )


# words of people


def reason_given(state: KernelState, _number: int, _now_ns: int) -> bool:
    answered = state.answered
    return answered is not None and len(answered.reason.strip()) >= SHORTEST_REASON


def reason_given_and_motor_reaches(state: KernelState, number: int, now_ns: int) -> bool:
    return reason_given(state, number, now_ns) and motor_reaches_twice_the_threshold(state, number)


def reason_given_for_sensory(state: KernelState, number: int, now_ns: int) -> bool:
    return sensory_under_work(state, number, now_ns) and reason_given(state, number, now_ns)


def reason_given_for_motor(state: KernelState, number: int, now_ns: int) -> bool:
    return motor_under_work(state, number, now_ns) and reason_given(state, number, now_ns)


# the result


def beyond_repeating(state: KernelState, number: int) -> bool:
    """Anaesthetic or heat was given here: a check says nothing any more."""
    channel = _channel(state, number)
    return channel.stimulation.anaesthetic or channel.probed or bool(channel.lesions) or channel.figures is not None


def check_can_be_repeated(state: KernelState, number: int, _now_ns: int) -> bool:
    return not beyond_repeating(state, number)


def last_second(channel: ChannelState) -> tuple[float, float]:
    """Means of impedance, ohm, and temperature, degC, over the last second; not-a-number without a sample."""
    now_ns = channel.history[-1].now_ns if channel.history else 0
    recent = [sample for sample in channel.history if now_ns - sample.now_ns <= LAST_SECOND_NS]
    if not recent:
        return float("nan"), float("nan")
    count = len(recent)
    return sum(s.impedance_ohm for s in recent) / count, sum(s.temperature_c for s in recent) / count


def position_confirmed(state: KernelState, number: int, now_ns: int) -> bool:
    """A named physician has seen it on the image, with a typed reason, and the impedance is near its reference.

    In a phantom or a load there is nobody whose nerve could be missed: no physician is asked for.
    """
    channel, answered = _channel(state, number), state.answered
    if channel.reference is None or answered is None:
        return False
    after_ohm, (now_ohm, _) = channel.reference.after_ohm, last_second(channel)
    return (
        reason_given(state, number, now_ns)
        and (state.setup.medium is not Medium.TISSUE or bool(answered.physician.strip()))
        and abs(now_ohm - after_ohm) <= IMPEDANCE_WITHIN * after_ohm
    )
