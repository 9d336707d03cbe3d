"""What a transition does beside changing the phase: new values of the state, and effects."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import replace

from rfctl.kernel import regulator
from rfctl.kernel.effects import (
    Arm,
    Ask,
    Claim,
    Configure,
    ConfigureSetPoint,
    Effect,
    Fire,
    Grant,
    Level,
    MakeDurable,
    Note,
    Off,
    Renew,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.guards import ceiling_v, check_of, motor_target_v, site_of
from rfctl.kernel.limits import (
    DURATION_MAX_S,
    PERMIT_NS,
    POWER_LIMIT_TISSUE_MIN_OHM,
    SERIES_RESISTANCE_MAX_OHM,
    STIMULATION_STEP_V,
)
from rfctl.kernel.phase import HEATING
from rfctl.kernel.regulator import Regulator
from rfctl.kernel.state import ChannelState, CheckResult, Figures, KernelState, Reference, SiteResult
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings

Act = Callable[[KernelState, int, int, int], tuple[KernelState, tuple[Effect, ...]]]
"""(state with the new phase, channel number, now_ns, value of the event) -> (state, effects)."""

Result = tuple[KernelState, tuple[Effect, ...]]

ALLOWANCE_S = 40.0
"""Time beyond the ideal ramp in which the set temperature must be reached."""
ONE_SECOND_NS = 1_000_000_000


def f32(value: float) -> float:
    """The value as a register holds it, so that what is read back compares equal."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


def with_channel(state: KernelState, number: int, channel: ChannelState) -> KernelState:
    """The state with one channel replaced."""
    channels = state.channels
    return state._replace(channels=(*channels[: number - 1], channel, *channels[number:]))


def nothing(state: KernelState, _number: int, _now_ns: int, _value: int) -> Result:
    return state, ()


def off(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    return (
        with_channel(state, number, channel._replace(off_ns=now_ns, amplitude_v=0.0, token=0)),
        (Off(f"channel {number}: {channel.phase}"),),
    )


def _ask(state: KernelState, number: int, question: Question, choices: tuple[Choice, ...], text: str) -> Result:
    ask = Ask(number, question, choices, text)
    return state._replace(question=ask), (ask,)


# impedance


def take_impedance(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """Z_pre, T0 and R_series from the 5 s mean."""
    channel = state.channels[number - 1]
    history = channel.history
    mean = channel.mean
    impedance_ohm = mean.impedance_sum / mean.samples
    temperature_c = mean.temperature_sum / mean.samples
    at_37_ohm = site_of(state, number).electrode.impedance_ohm
    tissue_ohm = at_37_ohm / (1.0 + 0.02 * (temperature_c - 37.0))
    series_ohm = min(max(impedance_ohm - tissue_ohm, 0.0), SERIES_RESISTANCE_MAX_OHM)
    reference = Reference(impedance_ohm, temperature_c, series_ohm, impedance_ohm)
    text = (
        f"impedance {impedance_ohm:.0f} ohm at {temperature_c:.1f} degC, of which {series_ohm:.0f} ohm in series "
        f"with the tissue"
    )
    channel = channel._replace(reference=reference, history=history)
    return with_channel(state, number, channel), (Note(Level.INFO, number, "impedance", text),)


def take_reference(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    """Z_ref at the end of the anaesthetic wait; it replaces Z_post, never R_series."""
    channel = state.channels[number - 1]
    mean = channel.mean
    if channel.reference is not None:
        after_ohm = mean.impedance_sum / mean.samples
        state = with_channel(state, number, channel._replace(reference=channel.reference._replace(after_ohm=after_ohm)))
    return ask_arm(state, number, now_ns, value)


# stimulation


def _skip(state: KernelState, number: int, name: str, reason: str) -> tuple[Effect, ...]:
    return (Note(Level.INFO, number, "not_performed", f"{name} not performed: {reason}"),)


def skip_sensory(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]._replace(sensory=CheckResult(performed=False, amplitude_v=None, width_us=None))
    effects = _skip(state, number, "sensory check", site_of(state, number).sensory.reason)
    return with_channel(state, number, channel), effects


def skip_motor(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]._replace(motor=CheckResult(performed=False, amplitude_v=None, width_us=None))
    effects = _skip(state, number, "motor check", site_of(state, number).motor.reason)
    return with_channel(state, number, channel), effects


def permit(state: KernelState, number: int, now_ns: int) -> Grant:
    """The permit for what the channel's last intent covers, from now for as long as a sample may age."""
    intended = state.channels[number - 1].intended
    return Grant(Permit(number, intended.kind, intended.envelope, now_ns + PERMIT_NS))


def _intend(state: KernelState, number: int, kind: PermitKind, envelope: Envelope) -> Result:
    """Have the intent written. Permits give what it covers, and nothing else."""
    intent = state.intent + 1
    channel = state.channels[number - 1]._replace(intent=intent, intended=Permit(number, kind, envelope, 0))
    state = with_channel(state, number, channel)._replace(intent=intent)
    return state, (MakeDurable(intent, number, kind, envelope),)


def intend_stimulation(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    return _intend(state, number, PermitKind.STIMULATION, Envelope(stimulation_v=f32(ceiling_v(state, number))))


def start_stimulation(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    check = check_of(state, number)
    settings = StimulationSettings("V", check.rate_hz, check.width_us, f32(ceiling_v(state, number)))
    channel = state.channels[number - 1]._replace(amplitude_v=0.0, stepped_ns=now_ns)
    state = with_channel(state, number, channel)
    return state, (permit(state, number, now_ns), Claim(), Renew(), StartStimulation(number, settings))


def ask_sensory(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    check = site_of(state, number).sensory
    text = (
        f"Sensory check, {check.rate_hz:g} Hz, {check.width_us} us: raise in steps of {STIMULATION_STEP_V:g} V to at "
        f"most {check.maximum_v:g} V; felt at or below {check.target_v:g} V is met"
    )
    return _ask(state, number, Question.SENSORY, (Choice.STEP, Choice.FELT, Choice.NOT_FELT, Choice.REPOSITION), text)


def ask_sensory_high(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    sensory = state.channels[number - 1].sensory
    threshold_v = sensory.amplitude_v if sensory else None
    text = f"Felt at {threshold_v:.1f} V, above {site_of(state, number).sensory.target_v:g} V: accept or reposition"
    return _ask(state, number, Question.SENSORY_HIGH, (Choice.ACCEPT, Choice.REPOSITION), text)


def ask_motor(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    check = site_of(state, number).motor
    text = (
        f"Motor check, {check.rate_hz:g} Hz, {check.width_us} us: raise to {motor_target_v(state, number):.1f} V and "
        f"look for a limb or radicular response; local multifidus twitch is fine"
    )
    return _ask(state, number, Question.MOTOR, (Choice.STEP, Choice.NONE, Choice.RESPONSE, Choice.REPOSITION), text)


def raise_amplitude(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    amplitude_v = round(channel.amplitude_v + STIMULATION_STEP_V, 6)
    channel = channel._replace(amplitude_v=amplitude_v, stepped_ns=now_ns)
    return with_channel(state, number, channel), (SetAmplitude(number, amplitude_v),)


def take_threshold(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    channel = state.channels[number - 1]
    check = site_of(state, number).sensory
    result = CheckResult(performed=True, amplitude_v=channel.amplitude_v, width_us=check.width_us)
    text = f"felt at {channel.amplitude_v:.1f} V, {check.rate_hz:g} Hz, {check.width_us} us"
    state, effects = off(with_channel(state, number, channel._replace(sensory=result)), number, now_ns, value)
    return state, (*effects, Note(Level.INFO, number, "sensory", text))


def take_motor(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    channel = state.channels[number - 1]
    check = site_of(state, number).motor
    result = CheckResult(performed=True, amplitude_v=channel.amplitude_v, width_us=check.width_us)
    stimulus = f"{channel.amplitude_v:.1f} V, {check.rate_hz:g} Hz, {check.width_us / 1000:g} ms"
    text = f"no limb or radicular response to {stimulus}"
    state, effects = off(with_channel(state, number, channel._replace(motor=result)), number, now_ns, value)
    return state, (*effects, Note(Level.INFO, number, "motor", text))


def ask_reposition(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    return _ask(
        state, number, Question.REPOSITION, (Choice.DONE,),
        "Reposition the electrode; the impedance and sensory checks are repeated first",
    )  # fmt: skip


def forget_checks(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]._replace(reference=None, sensory=None, motor=None)
    note = Note(Level.INFO, number, "repositioned", "electrode repositioned; earlier checks no longer count")
    return with_channel(state, number, channel), (note,)


# anaesthetic


def skip_anaesthetic(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    effects = _skip(state, number, "anaesthetic", site_of(state, number).anaesthetic.reason)
    state, asked = ask_arm(state, number, now_ns, value)
    return state, (*effects, *asked)


def ask_anaesthetic(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    anaesthetic = site_of(state, number).anaesthetic
    text = f"Inject {anaesthetic.volume_ml:g} mL {anaesthetic.agent}; then {anaesthetic.wait_s:g} s are waited"
    return _ask(state, number, Question.ANAESTHETIC, (Choice.GIVEN,), text)


# lesion


def ask_arm(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    lesion = site_of(state, number).lesion
    text = f"Arm channel {number} for {lesion.set_temperature_c:g} degC, {lesion.hold_s:g} s"
    return _ask(state, number, Question.ARM, (Choice.ARM,), text)


def start_temperature_c(channel: ChannelState) -> float:
    """T_start: mean of the last second, degC; not-a-number when there is no sample."""
    now_ns = channel.history[-1].now_ns if channel.history else 0
    values = [s.temperature_c for s in channel.history if now_ns - s.now_ns <= ONE_SECOND_NS]
    return sum(values) / len(values) if values else math.nan


def intend_lesion(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """Fix the envelope: power limit from the electrode's cap and the impedance, duration from ramp and hold."""
    channel = state.channels[number - 1]
    site = site_of(state, number)
    lesion = site.lesion
    ramp_s = max(lesion.set_temperature_c - start_temperature_c(channel), 0.0) / lesion.ramp_c_per_s
    duration_s = min(1.02 * (ramp_s + ALLOWANCE_S + lesion.hold_s) + 1.0, DURATION_MAX_S)
    after_ohm, series_ohm = (
        (channel.reference.after_ohm, channel.reference.series_ohm) if channel.reference else (math.nan, math.nan)
    )
    tissue_ohm = max(after_ohm - series_ohm, POWER_LIMIT_TISSUE_MIN_OHM)
    power_limit_w = min(site.electrode.power_cap_w * after_ohm / tissue_ohm, state.setup.rated_power_w)
    channel = channel._replace(power_limit_w=f32(power_limit_w), duration_s=f32(duration_s))
    envelope = Envelope(f32(lesion.set_temperature_c), channel.power_limit_w, channel.duration_s)
    if state.setup.set_point is SetPoint.VOLTAGE:  # no voltage beyond the one that gives the power limit before RF
        envelope = replace(envelope, voltage_v_rms=f32(math.sqrt(channel.power_limit_w * after_ohm)))
    return _intend(with_channel(state, number, channel), number, PermitKind.LESION, envelope)


def configure(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    lesion = site_of(state, number).lesion
    command: Configure | ConfigureSetPoint
    if state.setup.set_point is not None:
        bounds = SetPointSettings(state.setup.set_point, channel.duration_s, channel.power_limit_w)
        command = ConfigureSetPoint(number, bounds)
    else:
        settings = LesionSettings(
            f32(lesion.set_temperature_c), f32(lesion.ramp_c_per_s), channel.duration_s, channel.power_limit_w
        )
        command = Configure(number, settings)
    return state, (permit(state, number, now_ns), Claim(), command)


def arm(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    return state, (permit(state, number, now_ns), Renew(), Arm(number))


def ask_start(state: KernelState, number: int, _now_ns: int, value: int) -> Result:
    """Keep the token that ARM gave."""
    state = with_channel(state, number, state.channels[number - 1]._replace(token=value))
    return _ask(state, number, Question.START, (Choice.START,), f"Start RF on channel {number} (within 4.5 s)")


def fire(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    start_c = start_temperature_c(channel)
    figures = Figures(now_ns, start_c, 0, start_c, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, now_ns)
    regulator = _regulator(state, number, start_c, now_ns)
    state = with_channel(state, number, channel._replace(figures=figures, regulator=regulator, token=0))
    return state, (permit(state, number, now_ns), Renew(), Fire(number, channel.token))


def _regulator(state: KernelState, number: int, start_c: float, now_ns: int) -> Regulator | None:
    channel, site, set_point = state.channels[number - 1], site_of(state, number), state.setup.set_point
    if set_point is None or channel.reference is None:
        return None
    return regulator.begin(
        site.electrode,
        site.lesion,
        set_point,
        start_c=start_c,
        limit_w=channel.power_limit_w,
        voltage_v_rms=channel.intended.envelope.voltage_v_rms,
        series_ohm=channel.reference.series_ohm,
        tissue_ohm=channel.reference.after_ohm - channel.reference.series_ohm,
        now_ns=now_ns,
    )


def set_outputs(state: KernelState, now_ns: int) -> Result:
    """Where the station controls the temperature: the next set point of every channel that is heating."""
    effects: tuple[Effect, ...] = ()
    for number, channel in enumerate(state.channels, start=1):
        if channel.phase in HEATING and channel.regulator is not None and state.reading is not None:
            measured, sample = state.reading.channels[number - 1], channel.history[-1]
            set_point = channel.regulator.aim.set_point
            delivered = measured.voltage_v_rms if set_point is SetPoint.VOLTAGE else measured.power_w
            after = regulator.regulate(
                channel.regulator, sample.temperature_c, sample.impedance_tissue_ohm, delivered, now_ns
            )
            state = with_channel(state, number, channel._replace(regulator=after))
            effects = (*effects, SetOutput(number, set_point, after.value))
    return state, effects


def begin_hold(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    if channel.figures is not None:
        ramp_s = (now_ns - channel.figures.rf_on_ns) / 1e9
        channel = channel._replace(figures=channel.figures._replace(hold_ns=now_ns, ramp_s=ramp_s))
    return with_channel(state, number, channel), ()


def site_result(channel: ChannelState, end_reason: str) -> SiteResult:
    """What was done on the channel's site."""
    return SiteResult(channel.site, channel.sensory, channel.motor, channel.reference, channel.figures, end_reason)


def finish_site(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    result = site_result(state.channels[number - 1], "delivered as planned")
    note = Note(Level.INFO, number, "site_done", f"{site_of(state, number).name}: delivered as planned")
    return state._replace(results=(*state.results, result)), (note,)
