"""What the transitions of the checks do: impedance, stimulation, anaesthetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.kernel import stimulation_guards as guards
from rfctl.kernel.actions import ask, f32, intend, off, permit, with_channel
from rfctl.kernel.effects import Claim, ConfigureStimulation, Effect, Level, Note, Renew, SetAmplitude, StartStimulation
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.expected import fluid_factor
from rfctl.kernel.guards import site_of
from rfctl.kernel.limits import SERIES_RESISTANCE_MAX_OHM
from rfctl.kernel.phase import MOTOR_CHECK
from rfctl.kernel.state import CheckResult, Reference
from rfctl.kernel.stimulation import (
    IMPEDANCE_WITHIN,
    STIMULATION_STEP,
    Check,
    Override,
    Stimulation,
    allowed_amplitude,
)
from rfctl.model.permit import Envelope, PermitKind
from rfctl.model.plan import Medium, Use
from rfctl.model.settings import StimulationSettings

if TYPE_CHECKING:
    from rfctl.kernel.actions import Result
    from rfctl.kernel.state import ChannelState, KernelState
    from rfctl.model.plan import StimulationCheck

WHOLE = 1e-6
"""Of an amplitude: what rounding may leave."""


def _note(number: int, code: str, text: str) -> tuple[Effect, ...]:
    return (Note(Level.INFO, number, code, text),)


# impedance


def take_impedance(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    """Z_pre, T0 and R_series from the 5 s mean, and which electrode it was."""
    channel = state.channels[number - 1]
    mean = channel.mean
    impedance_ohm = mean.impedance_sum / mean.samples
    temperature_c = mean.temperature_sum / mean.samples
    if state.setup.medium is Medium.LOAD:  # all of it is the load
        reference = Reference(impedance_ohm, temperature_c, 0.0, impedance_ohm, temperature_c, now_ns)
        channel = _with_electrode(state, number, channel._replace(reference=reference))
        return with_channel(state, number, channel), _note(number, "impedance", f"load of {impedance_ohm:.0f} ohm")
    at_37_ohm = site_of(state, number).electrode.impedance_ohm
    tissue_ohm = at_37_ohm / (1.0 + 0.02 * (temperature_c - 37.0))
    series_ohm = min(max(impedance_ohm - tissue_ohm, 0.0), SERIES_RESISTANCE_MAX_OHM)
    reference = Reference(impedance_ohm, temperature_c, series_ohm, impedance_ohm, temperature_c, now_ns)
    text = (
        f"impedance {impedance_ohm:.0f} ohm at {temperature_c:.1f} degC, of which {series_ohm:.0f} ohm in series "
        f"with the tissue"
    )
    channel = _with_electrode(state, number, channel._replace(reference=reference))
    return with_channel(state, number, channel), _note(number, "impedance", text)


def _with_electrode(state: KernelState, number: int, channel: ChannelState) -> ChannelState:
    if state.reading is None:
        return channel
    measured = state.reading.channels[number - 1]
    return channel._replace(
        stimulation=channel.stimulation._replace(
            electrode_id=measured.electrode_id, present=bool(measured.electrode_present)
        )
    )


def take_anaesthetised(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    """The reference after the anaesthetic wait, and how much of the impedance the fluid took."""
    state, effects = take_reference(state, number, now_ns, value)
    channel = state.channels[number - 1]
    reference = channel.reference
    if reference is not None:
        fluid = fluid_factor(reference.impedance_ohm, reference.after_ohm, reference.series_ohm)
        state = with_channel(state, number, channel._replace(reference=reference._replace(fluid=fluid)))
    return state, effects


def take_reference(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    """Z_ref and T_ref after the anaesthetic wait, or after a planned move; never another R_series."""
    channel = state.channels[number - 1]
    reference, mean = channel.reference, channel.mean
    if reference is None:
        return state, ()
    after_ohm, after_c = mean.impedance_sum / mean.samples, mean.temperature_sum / mean.samples
    before_ohm = reference.after_ohm - reference.series_ohm
    change_pct = (after_ohm - reference.after_ohm) / before_ohm * 100.0 if before_ohm > 0.0 else 0.0
    reference = reference._replace(after_ohm=after_ohm, after_c=after_c, after_ns=now_ns)
    text = f"impedance {after_ohm:.0f} ohm at {after_c:.1f} degC, the tissue's share changed by {change_pct:+.0f} %"
    return with_channel(state, number, channel._replace(reference=reference)), _note(number, "reference", text)


# which checks


def ask_sensory_choice(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    return _ask_choice(state, number, Check.SENSORY, site_of(state, number).sensory.reason)


def ask_motor_choice(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    return _ask_choice(state, number, Check.MOTOR, site_of(state, number).motor.reason)


def _ask_choice(state: KernelState, number: int, check: Check, reason: str) -> Result:
    why = f" ({reason})" if reason else ""
    text = f"{site_of(state, number).name}: the {check} is optional here{why}: make it or leave it out"
    return ask(state, number, Question.PERFORM, (Choice.PERFORM, Choice.LEAVE_OUT), text)


def skip_sensory(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    reason = _why_not(state, site_of(state, number).sensory)
    channel = state.channels[number - 1]._replace(sensory=CheckResult(performed=False, reason=reason))
    return with_channel(state, number, channel), _note(
        number, "not_performed", f"sensory check not performed: {reason}"
    )


def skip_motor(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    reason = _why_not(state, site_of(state, number).motor)
    channel = state.channels[number - 1]._replace(motor=CheckResult(performed=False, reason=reason))
    return with_channel(state, number, channel), _note(number, "not_performed", f"motor check not performed: {reason}")


def _why_not(state: KernelState, check: StimulationCheck) -> str:
    if check.use is Use.NOT_USED or state.answered is None:
        return check.reason
    return f"optional, left out by {state.answered.by}"


# the stimulator


def intend_stimulation(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """One intent covers an envelope, from 0 to the ceiling, and not each step."""
    channel = state.channels[number - 1]
    open_check = Check.MOTOR if channel.phase in MOTOR_CHECK else Check.SENSORY
    state = with_channel(
        state,
        number,
        channel._replace(stimulation=channel.stimulation._replace(open_check=open_check, confirmed=False)),
    )
    return _intend(state, number)


def intend_higher(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """The next envelope, after its own word: an intent of its own, and from 0 again."""
    channel = state.channels[number - 1]
    state, effects = _intend(
        with_channel(state, number, channel._replace(stimulation=channel.stimulation._replace(confirmed=True))), number
    )
    by = state.answered.by if state.answered else ""
    text = f"second confirmation by {by}: {channel.stimulation.open_check} to {guards.ceiling(state, number):g}"
    return state, (*effects, *_note(number, "confirmed", f"{text} {guards.check_of(state, number).unit}"))


def _intend(state: KernelState, number: int) -> Result:
    most = f32(guards.ceiling(state, number))
    in_ma = guards.check_of(state, number).unit == "mA"
    envelope = Envelope(stimulation_ma=most) if in_ma else Envelope(stimulation_v=most)
    return intend(state, number, PermitKind.STIMULATION, envelope)


def configure_stimulation(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    """Everything is written while the output is off and read back; the amplitude is 0. On a slow line that takes longer
    than a sample may age, so that the start waits for another one.
    """
    check = guards.check_of(state, number)
    settings = StimulationSettings(check.unit, check.rate_hz, check.width_us, f32(guards.ceiling(state, number)))
    channel = state.channels[number - 1]
    channel = channel._replace(amplitude=0.0, stimulation=channel.stimulation._replace(allowed=0.0))
    state = with_channel(state, number, channel)
    return state, (permit(state, number, now_ns), Claim(), ConfigureStimulation(number, settings))


def start_stimulation(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]._replace(stepped_ns=now_ns)
    return with_channel(state, number, channel), (permit(state, number, now_ns), Renew(), StartStimulation(number))


def ask_sensory(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    check, most = site_of(state, number).sensory, guards.ceiling(state, number)
    text = (
        f"Sensory check, {check.rate_hz:g} Hz, {check.width_us} us: raise in steps of {STIMULATION_STEP:g} "
        f"{check.unit} to at most {most:g} {check.unit}; felt at or below {check.target:g} {check.unit} is met"
    )
    choices = (Choice.STEP, Choice.STEP_DOWN, Choice.FELT, Choice.NOT_FELT, Choice.OFF, Choice.REPOSITION)
    return ask(state, number, Question.SENSORY, choices, text)


def ask_motor(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    check, target = site_of(state, number).motor, guards.motor_target(state, number)
    text = (
        f"Motor check, {check.rate_hz:g} Hz, {check.width_us} us: raise to {target:.1f} {check.unit} and look for a "
        "limb or radicular response; local multifidus twitch is fine"
    )
    if guards.ceiling(state, number) < target:
        text += f". Beyond {guards.ceiling(state, number):g} {check.unit} it is confirmed once more"
    choices = (Choice.STEP, Choice.STEP_DOWN, Choice.NONE, Choice.RESPONSE, Choice.OFF, Choice.REPOSITION)
    return ask(state, number, Question.MOTOR, choices, text)


def raise_amplitude(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    return _set_amplitude(state, number, now_ns, STIMULATION_STEP)


def lower_amplitude(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    return _set_amplitude(state, number, now_ns, -STIMULATION_STEP)


def _set_amplitude(state: KernelState, number: int, now_ns: int, step: float) -> Result:
    channel = state.channels[number - 1]
    since_s = (now_ns - channel.stepped_ns) / 1e9
    allowed = allowed_amplitude(channel.amplitude, channel.stimulation, since_s)
    amplitude = round(channel.amplitude + step, 6)
    channel = channel._replace(
        amplitude=amplitude, stepped_ns=now_ns, stimulation=channel.stimulation._replace(allowed=allowed)
    )
    return with_channel(state, number, channel), (SetAmplitude(number, amplitude),)


def _delivered(state: KernelState, number: int) -> float:
    """What is felt now: what was asked for, or what is measured of it in mid-rise. Two digits."""
    commanded = state.channels[number - 1].amplitude
    measured = state.reading.channels[number - 1].stimulation_amplitude if state.reading else commanded
    near = abs(measured - commanded) <= guards.AMPLITUDE_TOLERANCE
    return commanded if near else round(measured, 2)


# results


def take_threshold(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    """At the moment it is felt the rise stops, and what is delivered then is the threshold."""
    channel = state.channels[number - 1]
    check, threshold = site_of(state, number).sensory, _delivered(state, number)
    result = CheckResult(performed=True, amplitude=threshold, width_us=check.width_us, unit=check.unit)
    text = f"felt at {shown(threshold)} {check.unit}, {check.rate_hz:g} Hz, {check.width_us} us"
    channel = channel._replace(
        sensory=result, stimulation=channel.stimulation._replace(open_check=None, checked_ns=now_ns)
    )
    state, effects = off(with_channel(state, number, channel), number, now_ns, value)
    return state, (*effects, *_note(number, "sensory", text))


def take_motor(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    channel = state.channels[number - 1]
    check = site_of(state, number).motor
    result = CheckResult(performed=True, amplitude=channel.amplitude, width_us=check.width_us, unit=check.unit)
    stimulus = f"{channel.amplitude:.1f} {check.unit}, {check.rate_hz:g} Hz, {check.width_us / 1000:g} ms"
    channel = channel._replace(
        motor=result, stimulation=channel.stimulation._replace(open_check=None, checked_ns=now_ns)
    )
    state, effects = off(with_channel(state, number, channel), number, now_ns, value)
    return state, (*effects, *_note(number, "motor", f"no limb or radicular response to {stimulus}"))


def take_response(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    """A motor response is not taken over by anybody: the electrode is repositioned."""
    check, at = site_of(state, number).motor, _delivered(state, number)
    channel = state.channels[number - 1]._replace(
        stimulation=state.channels[number - 1].stimulation._replace(open_check=None)
    )
    state, effects = off(with_channel(state, number, channel), number, now_ns, value)
    text = f"limb or radicular response at {shown(at)} {check.unit}, {check.rate_hz:g} Hz, {check.width_us} us"
    return state, (*effects, *_note(number, "response", text))


def shown(amplitude: float) -> str:
    """One digit on the grid of the steps, two where it was marked in mid-rise."""
    return f"{amplitude:.1f}" if abs(amplitude * 10 - round(amplitude * 10)) < WHOLE else f"{amplitude:.2f}"


def ask_sensory_high(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    sensory, check = state.channels[number - 1].sensory, site_of(state, number).sensory
    found = shown(sensory.amplitude) if sensory and sensory.amplitude is not None else "nothing"
    text = f"Felt at {found} {check.unit}, above {check.target:g} {check.unit}"
    if guards.threshold_may_be_accepted(state, number, now_ns):
        choices: tuple[Choice, ...] = (Choice.ACCEPT, Choice.REPOSITION)
        text += ": accept or reposition"
    elif guards.motor_reaches_twice_the_threshold(state, number):
        choices = (Choice.REPOSITION, Choice.OVERRIDE)
        text += ": reposition, or override with a reason"
    else:
        motor = site_of(state, number).motor
        choices = (Choice.REPOSITION,)
        text += (
            f": reposition; its motor check would go to {guards.motor_target(state, number):g} {motor.unit}, and the "
            f"plan allows {motor.maximum:g}"
        )
    return ask(state, number, Question.SENSORY_HIGH, choices, text)


def accept_threshold(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    by = state.answered.by if state.answered else ""
    return state, _note(number, "accepted", f"sensory threshold above its target accepted by {by}")


def override_sensory(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    sensory = channel.sensory
    if sensory is None:
        channel = channel._replace(sensory=CheckResult(performed=False, reason=_override_reason(state)))
        found = "not felt, or not completed"
    else:
        found = f"felt at {shown(sensory.amplitude or 0.0)} {sensory.unit}"
    return _override(state, number, now_ns, channel, Check.SENSORY, found)


def override_motor(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]._replace(motor=CheckResult(performed=False, reason=_override_reason(state)))
    return _override(state, number, now_ns, channel, Check.MOTOR, "not completed; no response was seen")


def _override_reason(state: KernelState) -> str:
    answered = state.answered
    return f"overridden by {answered.by}: {answered.reason.strip()}" if answered else ""


def _override(state: KernelState, number: int, now_ns: int, channel: ChannelState, check: Check, found: str) -> Result:
    answered = state.answered
    if answered is None:
        return state, ()
    override = Override(check, answered.by, answered.reason.strip(), answered.physician.strip(), found)
    overrides = (*channel.stimulation.overrides, override)
    channel = channel._replace(
        stimulation=channel.stimulation._replace(open_check=None, checked_ns=now_ns, overrides=overrides)
    )
    physician = f", position confirmed by imaging by {override.physician}" if override.physician else ""
    text = f"{check}, {found}: taken over by {override.by}{physician}: {override.reason}"
    return with_channel(state, number, channel), (Note(Level.WARNING, number, "override", text),)


# turns


def ask_paused(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    what = state.channels[number - 1].stimulation.open_check
    text = f"The {what} is paused, the output measured off: begin it again from 0, or reposition"
    return ask(state, number, Question.PAUSED, (Choice.AGAIN, Choice.REPOSITION), text)


def ask_higher(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    site, motor = site_of(state, number), state.channels[number - 1].stimulation.open_check is Check.MOTOR
    check = site.motor if motor else site.sensory
    most = guards.motor_target(state, number) if motor else check.maximum
    text = (
        f"The {Check.MOTOR if motor else Check.SENSORY} goes on to {most:g} {check.unit}, from 0 again: confirm a "
        "second time, or reposition"
    )
    return ask(state, number, Question.HIGHER, (Choice.CONFIRM, Choice.REPOSITION), text)


def ask_reposition(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    open_check = state.channels[number - 1].stimulation.open_check
    text = "Reposition the electrode; the impedance and sensory checks are repeated first"
    choices: tuple[Choice, ...] = (Choice.DONE,)
    if open_check is not None:
        choices, text = (Choice.DONE, Choice.OVERRIDE), f"{text}. Or override the {open_check} with a reason"
    return ask(state, number, Question.REPOSITION, choices, text)


def forget_checks(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    channel = channel._replace(
        reference=None, sensory=None, motor=None,
        stimulation=Stimulation(overrides=channel.stimulation.overrides),
    )  # fmt: skip
    text = "electrode repositioned; earlier checks no longer count"
    return with_channel(state, number, channel), _note(number, "repositioned", text)


# anaesthetic


def skip_anaesthetic(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    text = f"anaesthetic not performed: {site_of(state, number).anaesthetic.reason}"
    return state, _note(number, "not_performed", text)


def ask_anaesthetic(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    anaesthetic = site_of(state, number).anaesthetic
    text = f"Inject {anaesthetic.volume_ml:g} mL {anaesthetic.agent}; then {anaesthetic.wait_s:g} s are waited"
    return ask(state, number, Question.ANAESTHETIC, (Choice.GIVEN, Choice.REPOSITION), text)


def take_anaesthetic(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """From here on the result of the checks is frozen: they cannot be repeated meaningfully."""
    by = state.answered.by if state.answered else ""
    channel = state.channels[number - 1]._replace(
        stimulation=state.channels[number - 1].stimulation._replace(anaesthetic=True)
    )
    return with_channel(state, number, channel), _note(number, "anaesthetic", f"anaesthetic given, logged by {by}")


# what made the result void, and what follows


def void_by_word(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    by = state.answered.by if state.answered else "the operator"
    text = f"stopped to reposition the electrode, by {by}"
    return make_void(state, number, now_ns, value, code="repositioned", text=text)


def make_void(state: KernelState, number: int, now_ns: int, value: int, *, code: str, text: str) -> Result:
    """The result no longer permits a lesion. Off first, whatever the channel was doing."""
    channel = state.channels[number - 1]._replace(
        stimulation=state.channels[number - 1].stimulation._replace(void_code=code, void_text=text, checked_ns=0)
    )
    return off(with_channel(state, number, channel._replace(figures=None)), number, now_ns, value)


def ask_position(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """Before anaesthetic and heat the checks are made anew; after them a named physician takes over the position."""
    channel = state.channels[number - 1]
    text = f"{site_of(state, number).name}: {channel.stimulation.void_text}. No lesion until "
    if not guards.beyond_repeating(state, number):
        text += "the checks have been made again: position the electrode"
        return ask(state, number, Question.POSITION, (Choice.DONE, Choice.LEAVE_OUT), text)
    after_ohm = channel.reference.after_ohm if channel.reference else float("nan")
    who = (
        "a named physician has confirmed the position by imaging"
        if state.setup.medium is Medium.TISSUE
        else "confirmed"
    )
    text += (
        f"{who}, with a reason, and the impedance is within {IMPEDANCE_WITHIN:.0%} of {after_ohm:.0f} ohm; a "
        "stimulation check says nothing after anaesthetic or heat"
    )
    return ask(state, number, Question.POSITION, (Choice.CONFIRM, Choice.LEAVE_OUT), text)


def confirm_position(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    """Where it lies now, with the impedance of now, is what the lesion is permitted for."""
    channel = state.channels[number - 1]
    reference = channel.reference
    if reference is None:
        return state, ()
    after_ohm, after_c = guards.last_second(channel)
    found = channel.stimulation.void_text
    fluid = reference.fluid
    if channel.thermal.heated_ns < 0:  # nothing but the anaesthetic has changed the tissue
        fluid = fluid_factor(reference.impedance_ohm, after_ohm, reference.series_ohm)
    channel = channel._replace(
        reference=reference._replace(after_ohm=after_ohm, after_c=after_c, after_ns=now_ns, fluid=fluid)
    )
    channel = _with_electrode(state, number, channel)
    channel = channel._replace(stimulation=channel.stimulation._replace(void_code="", void_text=""))
    return _override(state, number, now_ns, channel, Check.POSITION, found)
