"""The stimulation check: how an amplitude is raised and marked, and what a person may take over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.kernel.effects import Claim, ConfigureStimulation, MakeDurable, Note, Off, SetAmplitude, StartStimulation
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import CheckResult, Stage
from rfctl.model.plan import Use
from tests.unit.kernel.bench import MOTOR, SENSORY, TWO_SITES, Bench, Person, at, setup_of, site

IN_MA = {
    "sensory": replace(SENSORY, unit="mA"),
    "motor": replace(MOTOR, unit="mA", target=2.0),
}
REASON = "patient sedated, position by imaging"


def amplitudes(bench: Bench) -> list[float]:
    return [effect.amplitude for effect in bench.effects if isinstance(effect, SetAmplitude)]


def envelopes(bench: Bench) -> list[tuple[float, float]]:
    """Volts and milliamperes of each intent to stimulate."""
    asked = [effect for effect in bench.effects if isinstance(effect, MakeDurable) and effect.kind == "stimulation"]
    return [(effect.envelope.stimulation_v, effect.envelope.stimulation_ma) for effect in asked]


def to_volts(bench: Bench, amplitude: float) -> Bench:
    return bench.until(lambda b: b.channel.amplitude >= amplitude - 1e-9)


# units


def test_a_plan_in_ma_stimulates_marks_and_intends_in_ma() -> None:
    bench = Bench(setup_of(site("L4, left", 1, **IN_MA))).reach(Phase.ARM_READY)
    units = {effect.settings.unit for effect in bench.effects if isinstance(effect, ConfigureStimulation)}
    assert units == {"mA"}
    assert envelopes(bench) == [(0.0, pytest.approx(1.0)), (0.0, pytest.approx(2.0))]
    assert bench.channel.sensory == CheckResult(performed=True, amplitude=0.4, width_us=1000, unit="mA")
    assert "felt at 0.4 mA, 50 Hz, 1000 us" in bench.notes("sensory")[0].text


def test_volts_in_force_where_ma_were_set_end_the_check() -> None:
    bench = Bench(setup_of(site("L4, left", 1, **IN_MA))).reach(Phase.SENSORY)
    bench.alter(1, mode=1)
    bench.samples(2)
    assert bench.codes == ["stimulation_mode"]


def test_no_step_before_mode_rate_and_width_were_read_back_with_the_stimulator_on() -> None:
    bench = at(Phase.SENSORY)
    bench.answer(Question.SENSORY, Choice.STEP)
    assert amplitudes(bench) == [], "no sample has come since the stimulator is on"
    bench.alter(1, stimulation_width_us=200)
    bench.samples(1)
    bench.answer(Question.SENSORY, Choice.STEP)
    assert amplitudes(bench) == []


# marking


def test_felt_in_mid_rise_stops_the_rise_and_marks_what_is_delivered_then() -> None:
    bench = to_volts(at(Phase.SENSORY), 0.3)
    bench.person = None
    bench.alter(1, stimulation_amplitude=0.24)
    bench.sample()
    effects = bench.answer(Question.SENSORY, Choice.FELT)
    assert any(isinstance(effect, Off) for effect in effects)
    assert bench.channel.sensory is not None
    assert bench.channel.sensory.amplitude == 0.24
    assert "felt at 0.24 V" in bench.notes("sensory")[0].text


def test_felt_before_anything_is_delivered_marks_nothing() -> None:
    bench = at(Phase.SENSORY)
    bench.sample()
    bench.answer(Question.SENSORY, Choice.FELT)
    assert bench.channel.sensory is None
    assert bench.notes("answer_ignored")


def test_the_motor_check_goes_to_twice_a_threshold_between_two_steps() -> None:
    bench = to_volts(Bench(setup_of(site("L4, left", 1, motor=replace(MOTOR, target=0.2)))), 0.3)
    bench.person = None
    bench.alter(1, stimulation_amplitude=0.24)
    bench.sample()
    bench.answer(Question.SENSORY, Choice.FELT)
    bench.alter(1, stimulation_amplitude=lambda _t, now: now)
    bench.person = Person()
    bench.reach(Phase.ARM_READY)
    assert bench.channel.motor is not None
    assert bench.channel.motor.amplitude == pytest.approx(0.5)


# down, pause


def test_the_operator_steps_down_and_up_again() -> None:
    bench = to_volts(at(Phase.SENSORY), 0.3)
    bench.answer(Question.SENSORY, Choice.STEP_DOWN)
    assert amplitudes(bench)[-2:] == [0.3, 0.2]
    bench.finished()
    assert bench.codes == []


def test_no_step_down_below_zero() -> None:
    bench = at(Phase.SENSORY)
    bench.sample()
    bench.answer(Question.SENSORY, Choice.STEP_DOWN)
    assert amplitudes(bench) == []


def test_a_fall_that_follows_a_step_down_is_no_excess_and_a_jump_is() -> None:
    bench = to_volts(at(Phase.MOTOR), 1.5)
    bench.person = None
    bench.samples(5)
    for _ in range(5):
        bench.answer(Question.MOTOR, Choice.STEP_DOWN)
    bench.alter(1, stimulation_amplitude=lambda t, _now: max(1.5 - 0.5 * t, 1.0))
    bench.samples(40)
    assert bench.codes == []
    bench.alter(1, stimulation_amplitude=1.2)
    bench.samples(2)
    assert bench.codes == ["stimulation_amplitude"]


def test_a_paused_check_is_measured_off_and_begins_again_from_zero_under_a_new_intent() -> None:
    bench = to_volts(at(Phase.SENSORY), 0.3)
    before = len(envelopes(bench))
    bench.answer(Question.SENSORY, Choice.OFF)
    bench.until(lambda b: b.channel.phase is Phase.SENSORY)
    assert bench.channel.amplitude == 0.0
    assert len(envelopes(bench)) == before + 1
    bench.finished()
    assert bench.codes == []


# envelopes


def test_a_motor_check_beyond_3_v_takes_a_second_confirmation_and_an_intent_of_its_own() -> None:
    high = replace(SENSORY, target=1.0, maximum=2.0)
    bench = Bench(
        setup_of(site("L4, left", 1, sensory=high)), Person(felt_at_v=1.8, silent=frozenset({Question.HIGHER}))
    )
    bench.reach(Phase.HIGHER)
    assert max(amplitudes(bench)) == pytest.approx(3.0)
    bench.samples(40)
    assert bench.channel.phase is Phase.HIGHER, "it waits for the word"
    bench.answer(Question.HIGHER, Choice.CONFIRM)
    bench.person = Person()
    bench.reach(Phase.MOTOR)
    assert bench.channel.amplitude == 0.0
    bench.reach(Phase.ARM_READY)
    assert envelopes(bench)[1:] == [(pytest.approx(3.0), 0.0), (pytest.approx(3.6), 0.0)]
    assert bench.channel.motor is not None
    assert bench.channel.motor.amplitude == pytest.approx(3.6)


def test_a_threshold_whose_motor_check_the_plan_does_not_allow_is_not_accepted() -> None:
    sites = (site("L4, left", 1, motor=replace(MOTOR, target=1.0, maximum=1.2)),)
    bench = Bench(setup_of(*sites), Person(felt_at_v=0.7, silent=frozenset({Question.SENSORY_HIGH})))
    bench.reach(Phase.SENSORY_HIGH)
    assert bench.state.question is not None
    assert bench.state.question.choices == (Choice.REPOSITION,)


# optional, override


@pytest.mark.parametrize("which", ["sensory", "motor"])
def test_an_optional_check_is_made_or_left_out_by_a_person(which: str) -> None:
    plan = setup_of(
        site("L4, left", 1, **{which: replace({"sensory": SENSORY, "motor": MOTOR}[which], use=Use.OPTIONAL)})
    )
    assert getattr(Bench(plan).reach(Phase.ARM_READY).channel, which).performed
    bench = Bench(plan, Person(silent=frozenset({Question.PERFORM})))
    bench.until(lambda b: b.state.question is not None and b.state.question.question is Question.PERFORM)
    bench.answer(Question.PERFORM, Choice.LEAVE_OUT)
    bench.reach(Phase.ARM_READY)
    assert getattr(bench.channel, which) == CheckResult(performed=False, reason="optional, left out by tester")


def not_felt() -> Bench:
    return Bench(setup_of(), Person(felt_at_v=None, silent=frozenset({Question.REPOSITION}))).reach(Phase.REPOSITION)


@pytest.mark.parametrize("reason", ["", "ok", "   too short "[:11]])
def test_an_override_without_a_reason_changes_nothing(reason: str) -> None:
    bench = not_felt()
    bench.answer(Question.REPOSITION, Choice.OVERRIDE, reason)
    assert bench.channel.phase is Phase.REPOSITION


def test_a_check_that_cannot_be_met_is_taken_over_by_a_person_with_a_reason() -> None:
    bench = not_felt()
    bench.answer(Question.REPOSITION, Choice.OVERRIDE, REASON)
    assert bench.channel.phase is Phase.MOTOR_NEXT
    assert bench.channel.sensory == CheckResult(performed=False, reason=f"overridden by tester: {REASON}")
    bench.person = Person()
    (override,) = bench.finished().state.results[0].overrides
    assert (override.by, override.reason) == ("tester", REASON)


def test_a_motor_response_is_taken_over_by_nobody() -> None:
    bench = Bench(setup_of(), Person(response_at_v=1.0, silent=frozenset({Question.REPOSITION})))
    bench.reach(Phase.REPOSITION)
    assert bench.notes("response")[0].text.startswith("limb or radicular response at 1.0 V")
    bench.answer(Question.REPOSITION, Choice.OVERRIDE, REASON)
    assert bench.channel.phase is Phase.REPOSITION
    bench.person = Person()
    bench.reach(Phase.SENSORY)
    assert bench.channel.sensory is None, "sensory comes first again"


def test_a_threshold_above_twice_its_target_is_overridden_or_repositioned() -> None:
    to_three = (site("L4, left", 1, sensory=replace(SENSORY, maximum=3.0)), TWO_SITES[1])
    bench = Bench(setup_of(*to_three), Person(felt_at_v=1.4, silent=frozenset({Question.SENSORY_HIGH})))
    bench.reach(Phase.SENSORY_HIGH)
    bench.answer(Question.SENSORY_HIGH, Choice.ACCEPT)
    assert bench.channel.phase is Phase.SENSORY_HIGH
    bench.answer(Question.SENSORY_HIGH, Choice.OVERRIDE, REASON)
    assert bench.channel.phase is Phase.MOTOR_NEXT
    assert bench.channel.stimulation.overrides[0].found == "felt at 1.4 V"


# exclusion


def test_a_stimulator_that_is_on_elsewhere_keeps_the_check_from_beginning() -> None:
    bench = at(Phase.IMPEDANCE).with_rows(tuple(row for row in ROWS if "stimulation" not in row.code))
    bench.alter(2, stimulating=True)
    bench.samples(200)
    assert bench.channel.phase is Phase.SENSORY_NEXT
    assert not any(isinstance(effect, StartStimulation) for effect in bench.effects)


def test_both_outputs_at_once_end_everything_in_one_sample() -> None:
    bench = at(Phase.HOLD)
    bench.alter(2, stimulating=True)
    effects = bench.sample()
    assert isinstance(effects[0], Off)
    assert bench.codes[0] == "stimulation_with_rf"
    assert bench.state.stage is Stage.ENDING
    assert [e for e in bench.effects if isinstance(e, Claim)] != []
    assert any(isinstance(e, Note) and e.code == "stimulation_with_rf" for e in effects)
