"""What the transitions of impedance check, stimulation and anaesthetic do, each by itself: new values and effects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.kernel import checks
from rfctl.kernel.actions import f32
from rfctl.kernel.effects import (
    Ask,
    Claim,
    ConfigureStimulation,
    Effect,
    Grant,
    Level,
    MakeDurable,
    Off,
    Renew,
    SetAmplitude,
    StartStimulation,
)
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.limits import PERMIT_NS
from rfctl.kernel.phase import MOTOR_CHECK, Phase
from rfctl.kernel.state import ChannelState, CheckResult, Mean, Reference
from rfctl.kernel.stimulation import Check, Override, Stimulation
from rfctl.kernel.thermal import Thermal
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Medium, Use
from rfctl.model.settings import StimulationSettings
from tests.unit.kernel.acts import BY, FIGURES, NOW_NS, READING, REFERENCE, S, history_of, measuring, note, state_of
from tests.unit.kernel.bench import ANAESTHETIC, ELECTRODE, MOTOR, SENSORY, site

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.kernel.events import Answered
    from rfctl.kernel.state import KernelState


def only(effects: tuple[Effect, ...]) -> Effect:
    (effect,) = effects
    return effect


# impedance


@pytest.mark.parametrize(
    ("impedance_ohm", "temperature_c", "series_ohm"),
    [
        (185.0, 37.0, 185.0 - ELECTRODE.impedance_ohm),
        (185.0, 22.0, 185.0 - ELECTRODE.impedance_ohm / 0.7),
        (185.0, 40.0, 185.0 - ELECTRODE.impedance_ohm / 1.06),
        (ELECTRODE.impedance_ohm + 199.9, 37.0, 199.9),
        (ELECTRODE.impedance_ohm + 201.0, 37.0, 200.0),
        (ELECTRODE.impedance_ohm - 1.0, 37.0, 0.0),
        (ELECTRODE.impedance_ohm + 0.05, 37.0, 0.05),
    ],
)
def test_what_the_table_does_not_explain_of_the_mean_impedance_is_in_series(
    impedance_ohm: float, temperature_c: float, series_ohm: float
) -> None:
    before = ChannelState(mean=Mean(4, 4 * impedance_ohm, 4 * temperature_c))
    state = state_of(before, reading=measuring(electrode_id=77, electrode_present=True))
    after, effects = checks.take_impedance(state, 1, NOW_NS, 0)
    channel = after.channels[0]
    series = pytest.approx(series_ohm, abs=1e-9)
    assert channel.reference == (impedance_ohm, temperature_c, series, impedance_ohm, temperature_c, NOW_NS, 0.0)
    assert channel.stimulation == Stimulation(electrode_id=77, present=True)
    assert channel.site == 0
    text = (
        f"impedance {impedance_ohm:.0f} ohm at {temperature_c:.1f} degC, of which {series_ohm:.0f} ohm in series "
        "with the tissue"
    )
    assert effects == (note("impedance", text),)


def test_a_load_is_all_that_is_measured() -> None:
    state = state_of(ChannelState(mean=Mean(4, 800.0, 80.0)), medium=Medium.LOAD)
    after, effects = checks.take_impedance(state, 1, NOW_NS, 0)
    assert after.channels[0].reference == Reference(200.0, 20.0, 0.0, 200.0, 20.0, NOW_NS)
    assert after.channels[0].stimulation.electrode_id == READING.channels[0].electrode_id
    assert effects == (note("impedance", "load of 200 ohm"),)


@pytest.mark.parametrize(("present", "taken"), [(True, True), (False, False), (None, False)])
def test_an_electrode_counts_as_plugged_in_where_the_generator_says_so(present: bool | None, *, taken: bool) -> None:
    state = state_of(ChannelState(mean=Mean(1, 185.0, 37.0)), reading=measuring(electrode_present=present))
    assert checks.take_impedance(state, 1, NOW_NS, 0)[0].channels[0].stimulation.present is taken
    blind = checks.take_impedance(state._replace(reading=None), 1, NOW_NS, 0)[0].channels[0]
    assert blind.stimulation == Stimulation()


@pytest.mark.parametrize(
    ("after_ohm", "fluid", "changed"),
    [
        (150.0, 35 / 85, "+0"),
        (175.0, 10 / 85, "+50"),
        (125.0, 0.6, "-50"),
        (190.0, 0.0, "+80"),
        (145.0, 40 / 85, "-10"),
    ],
)
def test_after_the_anaesthetic_the_reference_is_taken_anew_and_what_the_fluid_took(
    after_ohm: float, fluid: float, changed: str
) -> None:
    """Of the tissue alone: 85 ohm before the injection, 50 ohm at the reference before."""
    state = state_of(ChannelState(mean=Mean(4, 4 * after_ohm, 136.0), reference=REFERENCE))
    after, effects = checks.take_anaesthetised(state, 1, NOW_NS, 0)
    expected = REFERENCE._replace(after_ohm=after_ohm, after_c=34.0, after_ns=NOW_NS)
    assert after.channels[0].reference == expected._replace(fluid=pytest.approx(fluid))
    text = f"impedance {after_ohm:.0f} ohm at 34.0 degC, the tissue's share changed by {changed} %"
    assert effects == (note("reference", text),)
    moved, same = checks.take_reference(state, 1, NOW_NS, 0)
    assert moved.channels[0].reference == expected, "what the fluid took stays what it was"
    assert same == effects


def test_where_nothing_is_left_for_the_tissue_its_share_did_not_change() -> None:
    reference = REFERENCE._replace(after_ohm=100.0)
    state = state_of(ChannelState(mean=Mean(1, 120.0, 37.0), reference=reference))
    assert "changed by +0 %" in str(checks.take_reference(state, 1, NOW_NS, 0)[1])
    state = state_of(ChannelState(mean=Mean(1, 120.0, 37.0), reference=reference._replace(after_ohm=100.04)))
    assert "changed by +49900 %" in str(checks.take_reference(state, 1, NOW_NS, 0)[1])


@pytest.mark.parametrize("act", [checks.take_reference, checks.take_anaesthetised])
def test_without_an_impedance_check_there_is_no_reference_to_take_anew(act: Callable[..., object]) -> None:
    state = state_of(ChannelState(mean=Mean(1, 120.0, 37.0)))
    assert act(state, 1, NOW_NS, 0) == (state, ())


# which checks

CHOICES = {"sensory": checks.ask_sensory_choice, "motor": checks.ask_motor_choice}
SKIPS = {"sensory": checks.skip_sensory, "motor": checks.skip_motor}
CHECKS = {"sensory": SENSORY, "motor": MOTOR}


@pytest.mark.parametrize("which", CHOICES)
@pytest.mark.parametrize(("reason", "shown"), [("", ""), ("sedated", " (sedated)")])
def test_an_optional_check_is_asked_about_with_the_reason_of_the_plan(which: str, reason: str, shown: str) -> None:
    at = site("L4, left", 1, **{which: replace(CHECKS[which], use=Use.OPTIONAL, reason=reason)})
    after, effects = CHOICES[which](state_of(ChannelState(), at), 1, NOW_NS, 0)
    text = f"L4, left: the {which} check is optional here{shown}: make it or leave it out"
    asked = Ask(1, Question.PERFORM, (Choice.PERFORM, Choice.LEAVE_OUT), text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize("which", SKIPS)
@pytest.mark.parametrize(
    ("use", "answered", "why"),
    [
        (Use.NOT_USED, BY, "bench"),
        (Use.NOT_USED, None, "bench"),
        (Use.OPTIONAL, BY, "optional, left out by Dr. B"),
        (Use.OPTIONAL, None, "bench"),
    ],
)
def test_a_check_that_is_not_made_says_why(which: str, use: Use, answered: Answered | None, why: str) -> None:
    at = site("L4, left", 1, **{which: replace(CHECKS[which], use=use, reason="bench")})
    before = state_of(ChannelState(), at)._replace(answered=answered)
    after, effects = SKIPS[which](before, 1, NOW_NS, 0)
    expected = before.channels[0]._replace(**{which: CheckResult(performed=False, reason=why)})
    assert after.channels[0] == expected
    assert effects == (note("not_performed", f"{which} check not performed: {why}"),)


# the stimulator


@pytest.mark.parametrize("phase", [Phase.SENSORY_INTENT, Phase.MOTOR_INTENT])
@pytest.mark.parametrize("unit", ["V", "mA"])
@pytest.mark.parametrize("higher", [False, True])
def test_an_intent_covers_the_envelope_in_the_unit_of_the_check(phase: Phase, unit: str, *, higher: bool) -> None:
    """The sensory check goes to 1.2 and to 2.5 then, the motor check to 3 and to 4."""
    at = site(
        "L4, left", 1, sensory=replace(SENSORY, unit=unit, target=0.6, maximum=2.5),
        motor=replace(MOTOR, unit=unit, target=4.0),
    )  # fmt: skip
    motor = phase in MOTOR_CHECK
    open_check = Check.MOTOR if motor else Check.SENSORY
    before = ChannelState(phase=phase, stimulation=Stimulation(open_check=open_check, confirmed=not higher))
    state = state_of(before, at)
    act = checks.intend_higher if higher else checks.intend_stimulation
    after, effects = act(state, 1, NOW_NS, 0)
    most = {(False, False): 1.2, (False, True): 2.5, (True, False): 3.0, (True, True): 4.0}[motor, higher]
    envelope = Envelope(stimulation_v=f32(most)) if unit == "V" else Envelope(stimulation_ma=f32(most))
    channel = after.channels[0]
    assert channel.stimulation == Stimulation(open_check=open_check, confirmed=higher)
    assert (channel.intent, channel.intended) == (5, Permit(1, PermitKind.STIMULATION, envelope, 0))
    assert effects[0] == MakeDurable(5, 1, PermitKind.STIMULATION, envelope)
    said = note("confirmed", f"second confirmation by Dr. B: {open_check} to {most:g} {unit}")
    assert effects[1:] == ((said,) if higher else ())
    if higher:
        nobody = act(state._replace(answered=None), 1, NOW_NS, 0)[1][1]
        assert nobody == note("confirmed", f"second confirmation by : {open_check} to {most:g} {unit}")


def test_an_intent_says_which_check_is_under_work() -> None:
    for phase, check in ((Phase.SENSORY_INTENT, Check.SENSORY), (Phase.MOTOR_INTENT, Check.MOTOR)):
        after, _ = checks.intend_stimulation(state_of(ChannelState(phase=phase)), 1, NOW_NS, 0)
        assert after.channels[0].stimulation.open_check is check


def test_the_stimulator_is_set_to_zero_and_to_what_was_planned() -> None:
    intended = Permit(1, PermitKind.STIMULATION, Envelope(stimulation_v=1.0), 0)
    before = ChannelState(
        phase=Phase.SENSORY_SETUP, amplitude=0.7, intended=intended, stimulation=Stimulation(Check.SENSORY, allowed=0.9)
    )
    after, effects = checks.configure_stimulation(state_of(before), 1, NOW_NS, 0)
    assert effects == (
        Grant(replace(intended, expires_ns=NOW_NS + PERMIT_NS)),
        Claim(),
        ConfigureStimulation(1, StimulationSettings("V", 50.0, 1000, 1.0)),
    )
    assert after.channels[0] == before._replace(site=0, amplitude=0.0, stimulation=Stimulation(Check.SENSORY))
    odd = site("L4, left", 1, sensory=replace(SENSORY, target=0.35))
    settings = checks.configure_stimulation(state_of(before, odd), 1, NOW_NS, 0)[1][-1]
    assert settings == ConfigureStimulation(1, StimulationSettings("V", 50.0, 1000, f32(0.7)))


def test_the_stimulator_is_started_under_a_permit_and_a_lease_of_its_own() -> None:
    intended = Permit(1, PermitKind.STIMULATION, Envelope(stimulation_v=1.0), 0)
    before = ChannelState(phase=Phase.SENSORY_SET, intended=intended, stimulation=Stimulation(Check.SENSORY))
    after, effects = checks.start_stimulation(state_of(before), 1, NOW_NS, 0)
    assert effects == (Grant(replace(intended, expires_ns=NOW_NS + PERMIT_NS)), Renew(), StartStimulation(1))
    assert after.channels[0] == before._replace(site=0, stepped_ns=NOW_NS)


def test_the_sensory_check_is_asked_for_with_its_numbers() -> None:
    at = site("L4, left", 1, sensory=replace(SENSORY, target=0.4, maximum=3.0))
    after, effects = checks.ask_sensory(state_of(ChannelState(phase=Phase.SENSORY), at), 1, NOW_NS, 0)
    text = "Sensory check, 50 Hz, 1000 us: raise in steps of 0.1 V to at most 0.8 V; felt at or below 0.4 V is met"
    choices = (Choice.STEP, Choice.STEP_DOWN, Choice.FELT, Choice.NOT_FELT, Choice.OFF, Choice.REPOSITION)
    asked = Ask(1, Question.SENSORY, choices, text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize(("target", "more"), [(3.0, ""), (3.1, ". Beyond 3 V it is confirmed once more")])
def test_the_motor_check_is_asked_for_with_its_numbers(target: float, more: str) -> None:
    at = site("L4, left", 1, motor=replace(MOTOR, target=target))
    after, effects = checks.ask_motor(state_of(ChannelState(phase=Phase.MOTOR), at), 1, NOW_NS, 0)
    text = (
        f"Motor check, 2 Hz, 1000 us: raise to {target:.1f} V and look for a limb or radicular response; "
        f"local multifidus twitch is fine{more}"
    )
    choices = (Choice.STEP, Choice.STEP_DOWN, Choice.NONE, Choice.RESPONSE, Choice.OFF, Choice.REPOSITION)
    asked = Ask(1, Question.MOTOR, choices, text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize(
    ("act", "since_s", "amplitude", "allowed"),
    [
        (checks.raise_amplitude, 0.2, 0.4, 0.875),
        (checks.lower_amplitude, 0.2, 0.2, 0.875),
        (checks.lower_amplitude, 0.1, 0.2, 0.9),
        (checks.raise_amplitude, 3.0, 0.4, 0.3),
    ],
)
def test_a_step_is_a_tenth_and_what_an_earlier_step_down_has_not_brought_down_is_borne(
    act: Callable[..., tuple[KernelState, tuple[Effect, ...]]], since_s: float, amplitude: float, allowed: float
) -> None:
    """By 0.5 a second, 0.15 s after the step."""
    stepped_ns = NOW_NS - round(since_s * 1e9)
    before = ChannelState(amplitude=0.3, stepped_ns=stepped_ns, stimulation=Stimulation(allowed=0.9))
    after, effects = act(state_of(before), 1, NOW_NS, 0)
    assert effects == (SetAmplitude(1, amplitude),)
    stimulation = Stimulation(allowed=pytest.approx(allowed))
    expected = before._replace(site=0, amplitude=amplitude, stepped_ns=NOW_NS, stimulation=stimulation)
    assert after.channels[0] == expected


def test_amplitudes_keep_to_the_grid_of_a_tenth() -> None:
    state = state_of(ChannelState())
    for tenths in range(1, 31):
        state, effects = checks.raise_amplitude(state, 1, NOW_NS, 0)
        assert effects == (SetAmplitude(1, tenths / 10),)


def test_a_measured_amplitude_has_six_digits_beside_the_grid() -> None:
    state, _ = checks.raise_amplitude(state_of(ChannelState(amplitude=0.1234564)), 1, NOW_NS, 0)
    assert state.channels[0].amplitude == 0.223456


# results

RUNNING = ChannelState(
    phase=Phase.SENSORY_OFF, amplitude=0.4, token=9, stimulation=Stimulation(open_check=Check.SENSORY, allowed=0.4)
)
TAKEN = RUNNING._replace(
    site=0, amplitude=0.0, token=0, off_ns=NOW_NS, stimulation=Stimulation(allowed=0.4, checked_ns=NOW_NS)
)


@pytest.mark.parametrize(
    ("measured", "threshold", "shown"),
    [
        (0.4, 0.4, "0.4"),
        (0.38001, 0.4, "0.4"),
        (0.379, 0.38, "0.38"),
        (0.41999, 0.4, "0.4"),
        (0.4211, 0.42, "0.42"),
        (0.2501, 0.25, "0.25"),
        (0.3004, 0.3, "0.3"),
        (None, 0.4, "0.4"),
    ],
)
def test_the_threshold_is_what_is_delivered_at_the_moment_it_is_felt(
    measured: float | None, threshold: float, shown: str
) -> None:
    reading = None if measured is None else measuring(stimulation_amplitude=measured)
    at = site("L4, left", 1, sensory=replace(SENSORY, unit="mA", width_us=500))
    after, effects = checks.take_threshold(state_of(RUNNING, at, reading=reading), 1, NOW_NS, 0)
    result = CheckResult(performed=True, amplitude=threshold, width_us=500, unit="mA")
    assert after.channels[0] == TAKEN._replace(sensory=result)
    text = f"felt at {shown} mA, 50 Hz, 500 us"
    assert effects == (Off("channel 1: sensory check: verifying off"), note("sensory", text))


def test_no_response_is_taken_with_the_amplitude_it_was_looked_for_at() -> None:
    at = site("L4, left", 1, motor=replace(MOTOR, unit="mA", width_us=500))
    after, effects = checks.take_motor(state_of(RUNNING, at), 1, NOW_NS, 0)
    result = CheckResult(performed=True, amplitude=0.4, width_us=500, unit="mA")
    assert after.channels[0] == TAKEN._replace(motor=result)
    text = "no limb or radicular response to 0.4 mA, 2 Hz, 0.5 ms"
    assert effects == (Off("channel 1: sensory check: verifying off"), note("motor", text))


def test_a_response_ends_the_check_without_a_result() -> None:
    state = state_of(RUNNING, reading=measuring(stimulation_amplitude=0.35))
    after, effects = checks.take_response(state, 1, NOW_NS, 0)
    assert after.channels[0] == TAKEN._replace(stimulation=Stimulation(allowed=0.4))
    text = "limb or radicular response at 0.35 V, 2 Hz, 1000 us"
    assert effects == (Off("channel 1: sensory check: verifying off"), note("response", text))
    resting = state_of(RUNNING._replace(amplitude=0.0), reading=measuring(stimulation_amplitude=0.02))
    assert "response at 0.0 V" in str(checks.take_response(resting, 1, NOW_NS, 0)[1]), "0.02 is nothing yet"


@pytest.mark.parametrize(
    ("amplitude", "shown"),
    [(0.3, "0.3"), (0.1 + 0.2, "0.3"), (2.0, "2.0"), (0.35, "0.35"), (0.301, "0.30"), (0.299, "0.30"), (12.3, "12.3")],
)
def test_an_amplitude_on_the_grid_is_shown_with_one_digit(amplitude: float, shown: str) -> None:
    assert checks.shown(amplitude) == shown
    assert checks.shown(3.0 + 0.99e-7) == "3.0"
    assert checks.shown(3.0 + 1.01e-7) == "3.00"


def felt_at(amplitude: float | None) -> CheckResult:
    return CheckResult(performed=True, amplitude=amplitude, width_us=1000)


@pytest.mark.parametrize(
    ("sensory", "motor_maximum", "choices", "text"),
    [
        (felt_at(0.9), 10.0, (Choice.ACCEPT, Choice.REPOSITION), "Felt at 0.9 V, above 0.5 V: accept or reposition"),
        (
            felt_at(1.2), 10.0, (Choice.REPOSITION, Choice.OVERRIDE),
            "Felt at 1.2 V, above 0.5 V: reposition, or override with a reason",
        ),
        (
            felt_at(1.2), 2.0, (Choice.REPOSITION,),
            "Felt at 1.2 V, above 0.5 V: reposition; its motor check would go to 2.4 V, and the plan allows 2",
        ),
        (
            felt_at(None), 10.0, (Choice.REPOSITION, Choice.OVERRIDE),
            "Felt at nothing V, above 0.5 V: reposition, or override with a reason",
        ),
        (
            None, 10.0, (Choice.REPOSITION, Choice.OVERRIDE),
            "Felt at nothing V, above 0.5 V: reposition, or override with a reason",
        ),
    ],
)  # fmt: skip
def test_a_threshold_above_its_target_asks_for_what_may_be_done(
    sensory: CheckResult | None, motor_maximum: float, choices: tuple[Choice, ...], text: str
) -> None:
    at = site("L4, left", 1, motor=replace(MOTOR, maximum=motor_maximum))
    after, effects = checks.ask_sensory_high(state_of(ChannelState(sensory=sensory), at), 1, NOW_NS, 0)
    asked = Ask(1, Question.SENSORY_HIGH, choices, text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize(("answered", "by"), [(BY, "Dr. B"), (None, "")])
def test_who_accepts_or_gives_is_named(answered: Answered | None, by: str) -> None:
    state = state_of(RUNNING)._replace(answered=answered)
    same, effects = checks.accept_threshold(state, 1, NOW_NS, 0)
    assert same == state
    assert effects == (note("accepted", f"sensory threshold above its target accepted by {by}"),)
    after, effects = checks.take_anaesthetic(state, 1, NOW_NS, 0)
    assert after.channels[0] == state.channels[0]._replace(
        stimulation=Stimulation(open_check=Check.SENSORY, allowed=0.4, anaesthetic=True)
    )
    assert effects == (note("anaesthetic", f"anaesthetic given, logged by {by}"),)


# overrides

EARLIER = Override(Check.MOTOR, "Dr. A", "earlier", "", "x")


@pytest.mark.parametrize(
    ("act", "check", "sensory", "found", "result"),
    [
        (checks.override_sensory, Check.SENSORY, None, "not felt, or not completed", "sensory"),
        (checks.override_sensory, Check.SENSORY, felt_at(1.2), "felt at 1.2 V", ""),
        (checks.override_sensory, Check.SENSORY, felt_at(None), "felt at 0.0 V", ""),
        (checks.override_motor, Check.MOTOR, felt_at(0.4), "not completed; no response was seen", "motor"),
    ],
)
@pytest.mark.parametrize(("physician", "seen"), [("", ""), (" Dr. C ", ", position confirmed by imaging by Dr. C")])
def test_an_override_is_kept_with_who_and_why(
    act: Callable[..., tuple[KernelState, tuple[Effect, ...]]],
    check: Check,
    sensory: CheckResult | None,
    found: str,
    result: str,
    physician: str,
    seen: str,
) -> None:
    before = RUNNING._replace(sensory=sensory, stimulation=Stimulation(open_check=check, overrides=(EARLIER,)))
    state = state_of(before)._replace(answered=BY._replace(physician=physician))
    after, effects = act(state, 1, NOW_NS, 0)
    override = Override(check, "Dr. B", "seen on two views", physician.strip(), found)
    taken = {result: CheckResult(performed=False, reason="overridden by Dr. B: seen on two views")} if result else {}
    stimulation = Stimulation(checked_ns=NOW_NS, overrides=(EARLIER, override))
    assert after.channels[0] == before._replace(site=0, stimulation=stimulation, **taken)
    text = f"{check}, {found}: taken over by Dr. B{seen}: seen on two views"
    assert effects == (note("override", text, Level.WARNING),)
    assert act(state._replace(answered=None), 1, NOW_NS, 0) == (state._replace(answered=None), ())


# turns


@pytest.mark.parametrize("check", [Check.SENSORY, Check.MOTOR])
def test_a_paused_check_is_begun_again_or_repositioned(check: Check) -> None:
    state = state_of(RUNNING._replace(stimulation=Stimulation(open_check=check)))
    after, effects = checks.ask_paused(state, 1, NOW_NS, 0)
    text = f"The {check} is paused, the output measured off: begin it again from 0, or reposition"
    asked = Ask(1, Question.PAUSED, (Choice.AGAIN, Choice.REPOSITION), text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize(("check", "most"), [(Check.SENSORY, "1.5 V"), (Check.MOTOR, "4 mA")])
def test_the_next_envelope_is_asked_for_with_where_it_ends(check: Check, most: str) -> None:
    at = site("L4, left", 1, sensory=replace(SENSORY, maximum=1.5), motor=replace(MOTOR, target=4.0, unit="mA"))
    state = state_of(RUNNING._replace(stimulation=Stimulation(open_check=check)), at)
    after, effects = checks.ask_higher(state, 1, NOW_NS, 0)
    text = f"The {check} goes on to {most}, from 0 again: confirm a second time, or reposition"
    asked = Ask(1, Question.HIGHER, (Choice.CONFIRM, Choice.REPOSITION), text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize("check", [None, Check.SENSORY, Check.MOTOR])
def test_a_reposition_can_be_overridden_where_a_check_is_open(check: Check | None) -> None:
    state = state_of(RUNNING._replace(stimulation=Stimulation(open_check=check)))
    after, effects = checks.ask_reposition(state, 1, NOW_NS, 0)
    text = "Reposition the electrode; the impedance and sensory checks are repeated first"
    choices = (Choice.DONE, Choice.OVERRIDE) if check else (Choice.DONE,)
    if check:
        text += f". Or override the {check} with a reason"
    asked = Ask(1, Question.REPOSITION, choices, text)
    assert (after.question, effects) == (asked, (asked,))


def test_a_reposition_forgets_the_checks_and_keeps_what_people_took_over() -> None:
    stimulation = Stimulation(
        Check.MOTOR, allowed=0.4, electrode_id=7, present=True, checked_ns=8, anaesthetic=True, void_code="code",
        overrides=(EARLIER,),
    )  # fmt: skip
    before = RUNNING._replace(
        reference=REFERENCE, sensory=felt_at(0.4), motor=felt_at(2.0), stimulation=stimulation, figures=FIGURES
    )
    after, effects = checks.forget_checks(state_of(before), 1, NOW_NS, 0)
    expected = before._replace(site=0, reference=None, sensory=None, motor=None)
    assert after.channels[0] == expected._replace(stimulation=Stimulation(overrides=(EARLIER,)))
    assert effects == (note("repositioned", "electrode repositioned; earlier checks no longer count"),)


# anaesthetic


def test_the_anaesthetic_is_asked_for_or_said_to_be_left_out() -> None:
    at = site("L4, left", 1, anaesthetic=replace(ANAESTHETIC, reason="phantom"))
    state = state_of(ChannelState(), at)
    assert only(checks.skip_anaesthetic(state, 1, NOW_NS, 0)[1]) == note(
        "not_performed", "anaesthetic not performed: phantom"
    )
    after, effects = checks.ask_anaesthetic(state, 1, NOW_NS, 0)
    text = "Inject 0.5 mL lidocaine 2 %; then 6 s are waited"
    asked = Ask(1, Question.ANAESTHETIC, (Choice.GIVEN, Choice.REPOSITION), text)
    assert (after.question, effects) == (asked, (asked,))


# void


@pytest.mark.parametrize(("answered", "by"), [(BY, "Dr. B"), (None, "the operator")])
def test_a_word_makes_the_result_void_off_first(answered: Answered | None, by: str) -> None:
    checked = Stimulation(checked_ns=5, electrode_id=7)
    before = RUNNING._replace(figures=FIGURES, stimulation=checked)
    state = state_of(before)._replace(answered=answered)
    after, effects = checks.void_by_word(state, 1, NOW_NS, 0)
    text = f"stopped to reposition the electrode, by {by}"
    void = checked._replace(checked_ns=0, void_code="repositioned", void_text=text)
    expected = before._replace(site=0, amplitude=0.0, token=0, off_ns=NOW_NS, figures=None, stimulation=void)
    assert after.channels[0] == expected
    assert effects == (Off("channel 1: sensory check: verifying off"),)


VOID = Stimulation(checked_ns=5, electrode_id=7, void_code="moved", void_text="impedance too high", anaesthetic=True)


@pytest.mark.parametrize(
    ("reference", "medium", "who"),
    [
        (REFERENCE, Medium.TISSUE, "a named physician has confirmed the position by imaging, with a reason"),
        (REFERENCE, Medium.PHANTOM, "confirmed, with a reason"),
        (None, Medium.TISSUE, "a named physician has confirmed the position by imaging, with a reason"),
    ],
)
def test_beyond_repeating_a_position_is_confirmed(reference: Reference | None, medium: Medium, who: str) -> None:
    state = state_of(RUNNING._replace(stimulation=VOID, reference=reference), medium=medium)
    after, effects = checks.ask_position(state, 1, NOW_NS, 0)
    ohm = "nan" if reference is None else "150"
    text = (
        f"L4, left: impedance too high. No lesion until {who}, and the impedance is within 15% of {ohm} ohm; "
        "a stimulation check says nothing after anaesthetic or heat"
    )
    asked = Ask(1, Question.POSITION, (Choice.CONFIRM, Choice.LEAVE_OUT), text)
    assert (after.question, effects) == (asked, (asked,))


def test_what_can_be_repeated_is_repeated() -> None:
    state = state_of(RUNNING._replace(stimulation=VOID._replace(anaesthetic=False), reference=REFERENCE))
    after, effects = checks.ask_position(state, 1, NOW_NS, 0)
    text = "L4, left: impedance too high. No lesion until the checks have been made again: position the electrode"
    asked = Ask(1, Question.POSITION, (Choice.DONE, Choice.LEAVE_OUT), text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize(("heated_ns", "fluid"), [(-1, 43 / 85), (0, 0.25), (5, 0.25)])
def test_a_confirmed_position_is_taken_with_electrode_and_impedance_of_now(heated_ns: int, fluid: float) -> None:
    """What the fluid took is found anew only where no heat has changed the tissue since."""
    history = history_of((48 * S, 99.0, 500.0), (49 * S, 36.0, 140.0), (50 * S, 37.0, 144.0))
    before = RUNNING._replace(
        stimulation=VOID, reference=REFERENCE, history=history, thermal=Thermal(heated_ns=heated_ns)
    )
    state = state_of(before, reading=measuring(electrode_id=78, electrode_present=True))
    after, effects = checks.confirm_position(state, 1, NOW_NS, 0)
    channel = after.channels[0]
    expected = REFERENCE._replace(after_ohm=142.0, after_c=36.5, after_ns=NOW_NS, fluid=pytest.approx(fluid))
    assert channel.reference == expected
    override = Override(Check.POSITION, "Dr. B", "seen on two views", "Dr. C", "impedance too high")
    assert channel.stimulation == Stimulation(
        electrode_id=78, present=True, checked_ns=NOW_NS, anaesthetic=True, overrides=(override,)
    )
    text = (
        "position, impedance too high: taken over by Dr. B, position confirmed by imaging by Dr. C: seen on two views"
    )
    assert effects == (note("override", text, Level.WARNING),)
    blind = state_of(before._replace(reference=None))
    assert checks.confirm_position(blind, 1, NOW_NS, 0) == (blind, ())
