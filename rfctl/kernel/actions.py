"""What a transition does beside changing the phase: new values of the state, and effects. Here what every part shares,
and the lesion.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import replace

from rfctl.kernel import regulator
from rfctl.kernel.effects import (
    Arm,
    Ask,
    ChannelOff,
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
    SetOutput,
)
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.expected import FLUID_TAKES, terminal_power_w
from rfctl.kernel.guards import lesion_of, site_of
from rfctl.kernel.limits import (
    DURATION_MAX_S,
    PERMIT_NS,
    PROBE_POWER_W,
    PROBE_S,
)
from rfctl.kernel.phase import HEATING, PERMITTED, Phase
from rfctl.kernel.regulator import Regulator
from rfctl.kernel.signals_thermal import fluid_of
from rfctl.kernel.state import ChannelState, Figures, KernelState, Mean, SiteResult
from rfctl.kernel.thermal import Edge, Thermal, line_before, warmed
from rfctl.model.capability import SetPoint
from rfctl.model.heating import REST_C, predict
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Lesion, Site
from rfctl.model.settings import LesionSettings, SetPointSettings

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
    """The channel's output off: with everything else, unless another channel has or is about to have an output."""
    channel = state.channels[number - 1]
    reason = f"channel {number}: {channel.phase}"
    alone = not any(other.phase in PERMITTED for n, other in enumerate(state.channels, start=1) if n != number)
    return (
        with_channel(state, number, channel._replace(off_ns=now_ns, amplitude=0.0, token=0)),
        (Off(reason) if alone else ChannelOff(number, reason),),
    )


def ask(state: KernelState, number: int, question: Question, choices: tuple[Choice, ...], text: str) -> Result:
    ask = Ask(number, question, choices, text)
    return state._replace(question=ask), (ask,)


# the site


def begin_site(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    site = site_of(state, number)
    text = f"{site.name}: channel {number}, {site.electrode.name}"
    return state, (Note(Level.INFO, number, "site", text),)


# permits and intents


def permit(state: KernelState, number: int, now_ns: int) -> Grant:
    """The permit for what the channel's last intent covers, from now for as long as a sample may age."""
    intended = state.channels[number - 1].intended
    return Grant(Permit(number, intended.kind, intended.envelope, now_ns + PERMIT_NS))


def intend(state: KernelState, number: int, kind: PermitKind, envelope: Envelope) -> Result:
    """Have the intent written. Permits give what it covers, and nothing else."""
    intent = state.intent + 1
    channel = state.channels[number - 1]._replace(intent=intent, intended=Permit(number, kind, envelope, 0))
    state = with_channel(state, number, channel)._replace(intent=intent)
    return state, (MakeDurable(intent, number, kind, envelope),)


# lesion


def start_temperature_c(channel: ChannelState) -> float:
    """T_start: mean of the last second, degC; not-a-number when there is no sample."""
    if not channel.history:
        return math.nan
    now_ns = channel.history[-1].now_ns
    values = [s.temperature_c for s in channel.history if now_ns - s.now_ns <= ONE_SECOND_NS]
    return sum(values) / len(values)


def intend_lesion(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """Fix the envelope: power limit from the electrode's cap and the impedance, duration from ramp and hold."""
    channel = state.channels[number - 1]
    site, lesion = site_of(state, number), lesion_of(state, number)
    ramp_s = lesion.ramp_s(start_temperature_c(channel))
    planned_s = 1.02 * (ramp_s + ALLOWANCE_S + lesion.hold_s) + 1.0
    duration_s = min(planned_s, DURATION_MAX_S - channel.paused_s) - channel.probe_s
    power_cap_w = site.electrode.power_cap_w
    if channel.probing:
        duration_s, power_cap_w = PROBE_S + 1.0, min(PROBE_POWER_W, power_cap_w)
    after_ohm, series_ohm = (
        (channel.reference.after_ohm, channel.reference.series_ohm) if channel.reference else (math.nan, math.nan)
    )
    power_limit_w = min(terminal_power_w(power_cap_w, after_ohm, series_ohm), state.setup.rated_power_w)
    channel = channel._replace(
        power_limit_w=f32(power_limit_w), duration_s=f32(duration_s), thermal=_predicted(channel, site, lesion)
    )
    envelope = Envelope(f32(lesion.set_temperature_c), channel.power_limit_w, channel.duration_s)
    if state.setup.set_point is SetPoint.VOLTAGE:  # no voltage beyond the one that gives the power limit before RF
        envelope = replace(envelope, voltage_v_rms=f32(math.sqrt(channel.power_limit_w * after_ohm)))
    return intend(with_channel(state, number, channel), number, PermitKind.LESION, envelope)


def _predicted(channel: ChannelState, site: Site, lesion: Lesion) -> Thermal:
    """What the model says of the coming lesion; computed here, because it takes a while and nothing is hot yet."""
    start_c = start_temperature_c(channel)
    prediction = predict(site.electrode, lesion, start_c if math.isfinite(start_c) else REST_C)
    wetter = 1.0 - FLUID_TAKES * fluid_of(channel)
    return channel.thermal._replace(
        predicted_energy_j=prediction.energy_j / wetter,
        predicted_hold_w=prediction.hold_power_w / wetter,
        predicted_ramp_s=prediction.ramp_s,
    )


def configure(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    lesion = lesion_of(state, number)
    command: Configure | ConfigureSetPoint
    if state.setup.set_point is not None:
        bounds = SetPointSettings(state.setup.set_point, channel.duration_s, channel.power_limit_w)
        command = ConfigureSetPoint(number, bounds)
    else:
        settings = LesionSettings(
            f32(lesion.set_temperature_c), f32(lesion.ramp_c_per_s), channel.duration_s, channel.power_limit_w
        )
        command = Configure(number, settings)
    # A claim may turn off what is on, so that only the first of several channels that are armed brings one.
    armed = any(other.phase in PERMITTED for n, other in enumerate(state.channels, start=1) if n != number)
    claim = () if armed else (Claim(),)
    return state, (permit(state, number, now_ns), *claim, command)


def arm(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    return state, (permit(state, number, now_ns), Renew(), Arm(number))


def fire(state: KernelState, number: int, now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    start_c = start_temperature_c(channel)
    memory = channel.thermal
    figures = Figures(
        now_ns, start_c, 0, start_c, 0.0, memory.paused_j, memory.paused_generator_j, 0.0, 0.0, 0.0, 0.0, now_ns,
        predicted_energy_j=memory.predicted_energy_j, predicted_hold_w=memory.predicted_hold_w,
        predicted_ramp_s=memory.predicted_ramp_s, pauses=memory.pauses, before_j=memory.paused_j,
    )  # fmt: skip
    regulator = _regulator(state, number, start_c, now_ns)
    before_c = tuple(start_temperature_c(each) for each in state.channels) if channel.probing else ()
    channel = channel._replace(figures=figures, regulator=regulator, token=0, probe_c=before_c)
    channel = channel._replace(thermal=_before_rf(channel, site_of(state, number), start_c, now_ns))
    return with_channel(state, number, channel), (
        permit(state, number, now_ns),
        Renew(),
        Fire(number, state.channels[number - 1].token),
    )


def _before_rf(channel: ChannelState, site: Site, start_c: float, now_ns: int) -> Thermal:
    """The thermal memory at RF on: what was predicted has decayed since, and the reading begins anew."""
    memory = channel.thermal
    return memory._replace(
        rises_k=warmed(memory, site.electrode, 0.0, now_ns),
        followed_ns=now_ns,
        base_c=start_c if math.isnan(memory.base_c) else memory.base_c,
        edge=_edge(channel, now_ns, on=True),
        heated_ns=now_ns,
        code_ns=now_ns,
        own_w=0.0,
        ratios_pct=(),
        hold=None,
        lowered=False,
        limit_due=False,
    )


def _edge(channel: ChannelState, now_ns: int, *, on: bool) -> Edge | None:
    last = [(s.now_ns, s.temperature_c) for s in channel.history if now_ns - s.now_ns <= ONE_SECOND_NS]
    return line_before(last, now_ns, on=on)


def end_hold(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    """RF off at the end of the hold; a reading that jumps then was biased by RF."""
    channel = state.channels[number - 1]
    memory = channel.thermal._replace(edge=_edge(channel, now_ns, on=False), heated_ns=now_ns)
    figures = channel.figures._replace(ended_early=False) if channel.figures else None
    return off(with_channel(state, number, channel._replace(thermal=memory, figures=figures)), number, now_ns, value)


def pause(state: KernelState, number: int, now_ns: int, value: int) -> Result:
    """RF off in the ramp; what it brought, and how long it was on, counts as the lesion's. The word to arm is asked for
    again, and the predicted rise decays on.
    """
    channel = state.channels[number - 1]
    figures, memory = channel.figures, channel.thermal
    if figures is None:
        return off(state, number, now_ns, value)
    memory = memory._replace(
        pauses=memory.pauses + 1,
        paused_j=figures.energy_j,
        paused_generator_j=figures.generator_energy_j,
        heated_ns=now_ns,
        edge=None,
    )
    on_s = channel.paused_s + (now_ns - figures.rf_on_ns) / 1e9
    channel = channel._replace(
        phase=Phase.DISARM_OFF, since_ns=now_ns, mean=Mean(), warned=frozenset(), thermal=memory, paused_s=on_s,
        regulator=None,
    )  # fmt: skip
    return off(with_channel(state, number, channel), number, now_ns, value)


def take_probe(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """The channel heats its own electrode."""
    channel = state.channels[number - 1]
    figures = channel.figures
    if figures is None:
        return state, ()
    on_s = (channel.off_ns - figures.rf_on_ns) / 1e9
    text = f"own tip warmed by {figures.peak_c - figures.start_c:.1f} K with {figures.energy_j:.1f} J in {on_s:.1f} s"
    channel = channel._replace(probed=True, probing=False, probe_s=on_s, figures=None, regulator=None)
    return with_channel(state, number, channel), (Note(Level.INFO, number, "probe", text),)


def _regulator(state: KernelState, number: int, start_c: float, now_ns: int) -> Regulator | None:
    channel, site, set_point = state.channels[number - 1], site_of(state, number), state.setup.set_point
    if set_point is None or channel.reference is None:
        return None
    planned_w = lesion_of(state, number).power_w
    if planned_w is not None:
        return regulator.steady(f32(planned_w), now_ns)
    return regulator.begin(
        site.electrode,
        lesion_of(state, number),
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
    lesions = channel.lesions
    if channel.figures is not None and not channel.probing:
        lesions = (*lesions, channel.figures)
    overrides = channel.stimulation.overrides
    return SiteResult(channel.site, channel.sensory, channel.motor, channel.reference, lesions, end_reason, overrides)


def ask_move(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    """Before a further lesion at the site the electrode is moved as planned, and a person has seen where it lies."""
    site, channel = site_of(state, number), state.channels[number - 1]
    coming = site.lesions[channel.lesion + 1]
    text = (
        f"{site.name}: lesion {channel.lesion + 2} of {len(site.lesions)} after {coming.after}: move the electrode as "
        "planned and confirm its position by imaging; the impedance is measured then, stimulation is not repeated"
    )
    return ask(state, number, Question.MOVE, (Choice.DONE,), text)


def next_lesion(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    channel = state.channels[number - 1]
    lesions = channel.lesions if channel.figures is None else (*channel.lesions, channel.figures)
    thermal = channel.thermal
    thermal = thermal._replace(pauses=0, paused_j=0.0, paused_generator_j=0.0)
    if channel.reference is not None:  # from now on the tissue is warm: what is counted from is the impedance check's
        thermal = thermal._replace(base_c=channel.reference.temperature_c)
    channel = channel._replace(
        lesion=channel.lesion + 1, lesions=lesions, figures=None, regulator=None, probed=False, probe_s=0.0,
        paused_s=0.0, thermal=thermal,
    )  # fmt: skip
    note = Note(Level.INFO, number, "moved", "electrode moved as planned; position confirmed by imaging")
    return with_channel(state, number, channel), (note,)


def finish_site(state: KernelState, number: int, _now_ns: int, _value: int) -> Result:
    result = site_result(state.channels[number - 1], "delivered as planned")
    note = Note(Level.INFO, number, "site_done", f"{site_of(state, number).name}: delivered as planned")
    return state._replace(results=(*state.results, result)), (note,)
