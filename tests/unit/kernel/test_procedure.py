"""An ordinary procedure, and the turns that a person's answers give it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from rfctl.kernel.effects import (
    Arm,
    Claim,
    Configure,
    ConfigureStimulation,
    Effect,
    Fire,
    Grant,
    Level,
    MakeDurable,
    Note,
    Off,
    Outcome,
    SetAmplitude,
    StartStimulation,
)
from rfctl.kernel.events import (
    Answered,
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Missed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.limits import PERMIT_NS
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import CheckResult, Stage
from rfctl.model.electrode import find_electrode
from rfctl.model.permit import PermitKind
from rfctl.model.plan import TimerDefinition, Use
from tests.unit.kernel.bench import (
    ANAESTHETIC,
    LESION,
    MOTOR,
    SENSORY,
    SERIES_OHM,
    SESSION,
    TISSUE_OHM,
    TOKEN,
    TWO_SITES,
    Bench,
    Person,
    at,
    at_stage,
    setup_of,
    site,
)

ENERGISING = (Grant, Configure, ConfigureStimulation, Arm, Fire, StartStimulation, SetAmplitude)


@pytest.fixture(scope="module")
def whole() -> Bench:
    """A procedure of two sites that nothing disturbed."""
    return Bench(setup_of()).finished()


def kinds(effects: list[Effect] | tuple[Effect, ...]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]


def phases_of(bench: Bench) -> list[str]:
    """Phases in the order in which they were entered."""
    return [note.text for note in bench.notes("phase")]


# the whole


def test_two_sites_complete_as_planned(whole: Bench) -> None:
    assert whole.finish == (Outcome.COMPLETE, 0, True, "delivered as planned")
    assert whole.codes == []
    assert [result.site for result in whole.state.results] == [0, 1]
    assert {result.end_reason for result in whole.state.results} == {"delivered as planned"}


def test_nothing_is_warned_of_in_an_ordinary_procedure(whole: Bench) -> None:
    assert [e for e in whole.effects if isinstance(e, Note) and e.level is not Level.INFO] == []


@pytest.mark.parametrize("index", [0, 1])
def test_results_of_a_site_say_what_was_felt_and_delivered(whole: Bench, index: int) -> None:
    result = whole.state.results[index]
    assert result.sensory == CheckResult(performed=True, amplitude=0.4, width_us=1000)
    assert result.motor == CheckResult(performed=True, amplitude=2.0, width_us=1000)
    assert result.reference is not None
    assert result.reference.impedance_ohm == pytest.approx(SERIES_OHM + TISSUE_OHM)
    assert result.reference.series_ohm == pytest.approx(100.0)
    figures = result.figures
    assert figures is not None
    assert figures.start_c == 37.0
    assert figures.peak_c == 80.0
    assert figures.ramp_s == pytest.approx((79 - 37) / 4.3, abs=0.1)
    assert figures.held_s == pytest.approx(LESION.hold_s)
    assert figures.within_2c_s == pytest.approx(LESION.hold_s)
    assert figures.held_k_s / figures.held_s == pytest.approx(80.0, abs=0.1)
    assert figures.impedance_min_ohm == pytest.approx(TISSUE_OHM * 0.71)


@pytest.mark.parametrize(("temperature_c", "within_s"), [(78.0, 1.0), (77.9, 0.0), (82.0, 1.0), (82.1, 0.0)])
def test_seconds_within_2_degc_count_the_2_degc_itself(temperature_c: float, within_s: float) -> None:
    bench = at(Phase.HOLD)
    bench.alter(1, temperature_c=temperature_c)
    bench.samples(20)
    figures = bench.channel.figures
    assert figures is not None
    assert figures.within_2c_s == pytest.approx(within_s)
    assert figures.held_s == pytest.approx(1.0)


def test_energy_is_the_power_in_the_tissue_summed_over_time(whole: Bench) -> None:
    figures = whole.state.results[0].figures
    assert figures is not None
    ramp_s = (80 - 37) / 4.3
    assert figures.energy_j == pytest.approx(4.0 * ramp_s + 2.0 * (figures.ramp_s + figures.held_s - ramp_s), rel=0.02)
    assert figures.generator_energy_j > 2 * figures.energy_j


@pytest.mark.requirement("procedure.remove-below")
def test_the_second_site_begins_when_the_first_is_cool(whole: Bench) -> None:
    begun = next(d for d in whole.decisions if d.before.results == () and d.after.results != ())
    assert begun.after.channels[0].phase is Phase.IDLE
    assert begun.after.channels[1].phase is Phase.IMPEDANCE
    assert begun.after.channels[0].history[-1].temperature_c < 45.0


def test_a_channel_used_twice_begins_with_its_own_checks_again() -> None:
    bench = Bench(setup_of(site("first", 1), site("second", 1))).finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    assert phases_of(bench).count(Phase.SENSORY) == 2


def test_hold_counted_from_rf_on_ends_that_long_after_rf_on() -> None:
    lesion = replace(LESION, hold_s=12.0, timer=TimerDefinition.RF_ON)
    bench = Bench(setup_of(site("rf on", 1, lesion=lesion))).finished()
    figures = bench.state.results[0].figures
    assert figures is not None
    assert (figures.last_ns - figures.rf_on_ns) / 1e9 == pytest.approx(12.0, abs=0.051)


def test_nothing_is_decided_after_the_end(whole: Bench) -> None:
    bench = whole.copy()
    before = bench.state
    bench.alter(1, rf_on=True, temperature_c=120.0)
    assert bench.sample() == ()
    assert bench.stop() == ()
    assert bench.feed(Missed(bench.now_ns, Cause.CLOSED, "gone")) == ()
    assert bench.state is before


# the first act


FIRST_EVENTS: tuple[Event, ...] = (
    Sampled(1, Bench(setup_of()).reading()),
    Missed(1, Cause.TIMEOUT, "no reply"),
    Missed(1, Cause.CLOSED, "gone"),
    Answered(1, Question.CHECKLIST, Choice.CONFIRM, "tester"),
    Stopped(1, "tester"),
    Durable(1, 1),
    RecordFailed(1, "disk full"),
    *(Completed(1, command, 1, 0) for command in Command),
    *(Failed(1, command, 1, cause, "no") for command in Command for cause in Cause),
)


@pytest.mark.parametrize("event", FIRST_EVENTS, ids=lambda event: " ".join(str(part) for part in event[:3])[:60])
@pytest.mark.requirement("start.off-first")
def test_first_act_is_off_whatever_happens_first(event: Event) -> None:
    bench = Bench(setup_of())
    effects = bench.feed(event)
    assert isinstance(effects[0], Off)
    assert set(kinds(effects)) <= {Off, Note}
    assert bench.state.stage in {Stage.STARTING, Stage.ENDING}


@pytest.mark.parametrize(
    "event",
    [Stopped(0, "tester"), RecordFailed(0, "disk full"), Missed(0, Cause.CLOSED, "gone")],
    ids=lambda event: type(event).__name__,
)
def test_what_ends_a_procedure_ends_it_as_the_first_event_at_time_zero(event: Event) -> None:
    bench = Bench(setup_of(), now_ns=0)
    bench.feed(event)
    assert bench.finished().finish.outcome is not Outcome.COMPLETE
    assert Claim not in kinds(bench.effects)


def test_a_sample_taken_before_off_proves_nothing() -> None:
    bench = Bench(setup_of())
    bench.sample()
    assert bench.state.stage is Stage.STARTING
    assert kinds(bench.sample()) == [Claim]


def test_an_output_left_on_by_an_earlier_session_has_250_ms_to_go_off() -> None:
    bench = Bench(setup_of())
    bench.alter(1, rf_on=lambda t, commanded: commanded or t < 0.301)  # off is sent with the first sample, at 0.05 s
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE


def test_an_output_that_stays_on_at_the_start_ends_the_procedure() -> None:
    bench = Bench(setup_of())
    bench.alter(2, stimulating=True)
    bench.finished()
    assert bench.codes[0] == "off_not_verified"
    assert bench.finish.exit_code == 4
    assert bench.state.trips[0].channel == 2


# the gates before energy


def test_nothing_energises_before_its_own_intent_is_durable(whole: Bench) -> None:
    asked: dict[tuple[int, PermitKind], int] = {}
    durable: set[int] = set()
    for decision in whole.decisions:
        if isinstance(decision.event, Durable):
            durable.add(decision.event.intent)
        for effect in decision.effects:
            match effect:
                case MakeDurable(intent, channel, kind):
                    asked[channel, PermitKind(kind)] = intent
                case StartStimulation(channel) | SetAmplitude(channel):
                    assert asked[channel, PermitKind.STIMULATION] in durable
                case Configure(channel) | Arm(channel) | Fire(channel):
                    assert asked[channel, PermitKind.LESION] in durable
                case Grant(permit):
                    assert asked[permit.channel, permit.kind] in durable
                case _:
                    pass
    assert len(durable) == 6


@pytest.mark.parametrize("phase", [Phase.SENSORY_INTENT, Phase.MOTOR_INTENT, Phase.LESION_INTENT])
def test_a_durable_of_an_earlier_intent_lets_nothing_go_on(phase: Phase) -> None:
    bench = at(phase)
    bench.pending.clear()
    assert bench.feed(Durable(bench.now_ns, bench.state.intent - 1)) == ()
    assert bench.feed(Durable(bench.now_ns, bench.state.intent + 1)) == ()
    bench.samples(20)
    assert bench.channel.phase is phase
    assert not any(isinstance(effect, ENERGISING) for d in bench.decisions[-22:] for effect in d.effects)
    assert isinstance(bench.feed(Durable(bench.now_ns, bench.state.intent))[1], Grant)


def test_the_intent_covers_what_is_then_permitted(whole: Bench) -> None:
    intended = {(e.channel, e.kind, e.envelope) for e in whole.effects if isinstance(e, MakeDurable)}
    permitted = {(e.permit.channel, e.permit.kind, e.permit.envelope) for e in whole.effects if isinstance(e, Grant)}
    assert permitted == intended


def test_a_permit_ends_300_ms_after_the_decision_that_gave_it(whole: Bench) -> None:
    for decision in whole.decisions:
        for effect in decision.effects:
            if isinstance(effect, Grant):
                assert effect.permit.expires_ns == decision.event.now_ns + PERMIT_NS


def test_power_limit_is_the_cap_seen_from_the_terminals() -> None:
    bench = at(Phase.CONFIGURING)
    settings = next(effect.settings for effect in bench.effects if isinstance(effect, Configure))
    assert settings.power_limit_w == pytest.approx(
        find_electrode(18, 10).power_cap_w * (SERIES_OHM + TISSUE_OHM) / TISSUE_OHM
    )
    assert settings.set_temperature_c == 80.0
    assert settings.max_on_s == pytest.approx(1.02 * (43 / 4.3 + 40 + LESION.hold_s) + 1.0)


def test_power_limit_never_exceeds_the_rating() -> None:
    bench = Bench(replace(setup_of(), rated_power_w=20.0)).reach(Phase.CONFIGURING)
    assert next(effect.settings.power_limit_w for effect in bench.effects if isinstance(effect, Configure)) == 20.0


@pytest.mark.requirement("procedure.order")
def test_arm_and_fire_are_two_acts() -> None:
    bench = at(Phase.ARMED)
    bench.person = None
    bench.samples(80)
    assert Fire not in kinds(bench.effects)
    assert bench.state.question is not None
    assert bench.state.question.question is Question.START
    effects = bench.answer(Question.START, Choice.START)
    assert [effect for effect in effects if isinstance(effect, Fire)] == [Fire(1, TOKEN)]


@pytest.mark.requirement("arm.token")
def test_an_expired_token_leads_to_off_and_a_new_question() -> None:
    bench = at(Phase.ARMED)
    bench.person = None
    bench.samples(90)
    assert bench.channel.phase is Phase.ARMED, "4.5 s of the 5 s that the generator gives it"
    assert Off in kinds(bench.sample())
    assert Phase.DISARM_OFF in bench.phases
    bench.sample()
    assert bench.state.question is not None
    assert bench.state.question.question is Question.ARM
    bench.person = Person()
    assert bench.finished().finish.outcome is Outcome.COMPLETE


@pytest.mark.requirement("arm.token")
def test_a_start_in_the_moment_in_which_the_token_expires_fires_nothing() -> None:
    bench = at(Phase.ARMED)
    bench.samples(89)
    bench.silence(0.05)
    bench.answer(Question.START, Choice.START)
    assert Fire not in kinds(bench.effects)


def test_an_arm_without_a_token_never_fires() -> None:
    bench = at(Phase.ARMING)
    bench.feed(Completed(bench.now_ns, Command.ARM, 1, 0))
    bench.answer(Question.START, Choice.START)
    assert Fire not in kinds(bench.effects)
    assert Off in kinds(bench.sample())


def test_a_start_on_a_stale_sample_fires_nothing() -> None:
    bench = at(Phase.ARMED)
    bench.samples(2)
    bench.silence(0.301)
    assert Fire not in kinds(bench.answer(Question.START, Choice.START))
    assert bench.notes("answer_ignored")
    bench.sample()
    assert Fire in kinds(bench.answer(Question.START, Choice.START))


@pytest.mark.requirement("lease.by-decision")
def test_the_lease_is_renewed_only_by_a_decision_that_found_nothing() -> None:
    bench = at(Phase.HOLD)
    assert kinds(bench.sample()) == [Grant, type(bench.sample()[-1])]
    bench.silence(0.1)
    assert bench.feed(Missed(bench.now_ns, Cause.TIMEOUT, "no reply")) == ()


# stimulation


def test_motor_goes_to_twice_the_sensory_threshold_where_that_is_more() -> None:
    motor = replace(MOTOR, target=0.6)
    bench = Bench(setup_of(site("low target", 1, motor=motor))).finished()
    result = bench.state.results[0]
    assert result.sensory is not None
    assert result.motor is not None
    assert result.motor.amplitude == pytest.approx(0.8) == pytest.approx(2 * (result.sensory.amplitude or 0.0))


def test_no_response_counts_only_once_the_target_has_been_held_for_a_second() -> None:
    bench = at(Phase.MOTOR).until(lambda b: b.channel.amplitude >= 2.0 - 1e-9)
    reached_ns = bench.now_ns
    bench.sample()
    bench.answer(Question.MOTOR, Choice.NONE)
    assert bench.notes("answer_ignored")
    assert bench.channel.phase is Phase.MOTOR
    bench.reach(Phase.MOTOR_OFF)
    assert bench.now_ns - reached_ns >= 1_000_000_000


def test_no_response_below_the_target_is_not_taken() -> None:
    bench = at(Phase.MOTOR).until(lambda b: b.channel.amplitude >= 1.0)
    bench.samples(40)
    bench.answer(Question.MOTOR, Choice.NONE)
    assert bench.channel.phase is Phase.MOTOR


def test_felt_is_not_taken_before_the_amplitude_is_delivered() -> None:
    bench = at(Phase.SENSORY)
    bench.answer(Question.SENSORY, Choice.FELT)
    assert bench.channel.phase is Phase.SENSORY
    assert bench.notes("answer_ignored")


@pytest.mark.requirement("stimulation.steps")
def test_amplitude_rises_from_zero_in_steps_of_a_tenth_no_faster_than_half_a_volt_a_second(whole: Bench) -> None:
    steps = [
        (decision.event.now_ns, effect.amplitude)
        for decision in whole.decisions
        for effect in decision.effects
        if isinstance(effect, SetAmplitude) and effect.channel == 1
    ]
    assert [v for _, v in steps[:4]] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [v for _, v in steps[4:]] == pytest.approx([0.1 * n for n in range(1, 21)])
    for (t0, v0), (t1, v1) in pairwise(steps):
        assert v1 < v0 or t1 - t0 >= 200_000_000


def test_a_step_is_not_taken_before_the_one_before_is_delivered() -> None:
    bench = at(Phase.SENSORY)
    bench.person = None
    bench.samples(5)
    bench.answer(Question.SENSORY, Choice.STEP)
    bench.alter(1, stimulation_amplitude=0.0)
    bench.samples(5)
    assert SetAmplitude not in kinds(bench.answer(Question.SENSORY, Choice.STEP))
    bench.alter(1, stimulation_amplitude=0.1)
    bench.sample()
    assert SetAmplitude in kinds(bench.answer(Question.SENSORY, Choice.STEP))


def test_a_step_beyond_the_maximum_is_not_taken() -> None:
    bench = Bench(setup_of(), Person(felt_at_v=None)).until(lambda b: b.channel.amplitude >= 1.0 - 1e-9)
    bench.samples(10)
    bench.answer(Question.SENSORY, Choice.STEP)
    assert bench.channel.amplitude == pytest.approx(1.0)
    assert bench.notes("answer_ignored")


def test_motor_response_leads_to_reposition_and_impedance_and_sensory_come_first_again() -> None:
    bench = Bench(setup_of(site("response", 1)), Person(response_at_v=1.0)).reach(Phase.REPOSITION)
    assert Off in kinds([e for d in bench.decisions[-10:] for e in d.effects])
    bench.person = Person()
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    entered = phases_of(bench)
    again = entered[entered.index(Phase.REPOSITION) :]
    assert again[1:3] == [Phase.IMPEDANCE, Phase.SENSORY_NEXT]
    assert again.index(Phase.SENSORY) < again.index(Phase.MOTOR)


def test_checks_before_a_reposition_no_longer_count() -> None:
    bench = at(Phase.REPOSITION)
    assert bench.channel.sensory is not None
    bench.answer(Question.REPOSITION, Choice.DONE)
    assert bench.channel == bench.channel._replace(reference=None, sensory=None, motor=None)


@pytest.mark.parametrize("choice", [Choice.NOT_FELT, Choice.REPOSITION])
def test_an_electrode_that_is_not_felt_is_repositioned(choice: Choice) -> None:
    bench = at(Phase.SENSORY)
    effects = bench.answer(Question.SENSORY, choice)
    assert bench.channel.phase is Phase.REPOSITION_OFF
    assert Off in kinds(effects)
    bench.sample()
    assert Phase.REPOSITION in bench.phases


def test_a_threshold_above_the_target_is_asked_about() -> None:
    bench = at(Phase.SENSORY_HIGH)
    asked = bench.state.question
    assert asked is not None
    assert asked.question is Question.SENSORY_HIGH
    assert "0.7 V" in asked.text
    assert "0.5 V" in asked.text
    accepted = bench.copy()
    accepted.person = Person()
    accepted.answer(Question.SENSORY_HIGH, Choice.ACCEPT)
    assert accepted.reach(Phase.MOTOR_OFF).channel.motor == CheckResult(performed=True, amplitude=2.0, width_us=1000)
    bench.answer(Question.SENSORY_HIGH, Choice.REPOSITION)
    assert bench.channel.phase is Phase.REPOSITION


def test_a_threshold_at_the_target_is_met() -> None:
    bench = Bench(setup_of(), Person(felt_at_v=0.5)).reach(Phase.MOTOR_NEXT)
    assert Phase.SENSORY_HIGH not in phases_of(bench)


def test_what_the_plan_does_not_use_is_noted_with_its_reason() -> None:
    bare = site(
        "bare",
        1,
        sensory=replace(SENSORY, use=Use.NOT_USED, reason="bench"),
        motor=replace(MOTOR, use=Use.NOT_USED, reason="phantom"),
        anaesthetic=replace(ANAESTHETIC, use=Use.NOT_USED, reason="nobody is connected"),
    )
    bench = Bench(setup_of(bare)).finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    assert [note.text for note in bench.notes("not_performed")] == [
        "sensory check not performed: bench",
        "motor check not performed: phantom",
        "anaesthetic not performed: nobody is connected",
    ]
    assert StartStimulation not in kinds(bench.effects)
    not_performed = CheckResult(performed=False, reason="bench")
    assert bench.state.results[0].sensory == not_performed
    assert bench.state.results[0].motor == not_performed._replace(reason="phantom")


# anaesthetic


def test_the_wait_counts_from_the_injection_and_takes_the_impedance_again() -> None:
    bench = at(Phase.ANAESTHETIC)
    bench.answer(Question.ANAESTHETIC, Choice.GIVEN)
    given_ns = bench.now_ns
    bench.alter(1, impedance_ohm=150.0)
    bench.reach(Phase.ARM_READY)
    assert bench.now_ns - given_ns == pytest.approx(ANAESTHETIC.wait_s * 1e9)
    reference = bench.channel.reference
    assert reference is not None
    assert reference.after_ohm == pytest.approx(150.0)
    assert (reference.impedance_ohm, reference.series_ohm) == pytest.approx((SERIES_OHM + TISSUE_OHM, SERIES_OHM))


def test_impedance_that_is_not_fresh_is_not_averaged() -> None:
    bench = at(Phase.IMPEDANCE)
    bench.alter(1, impedance_fresh=lambda t, _: t > 5.2, impedance_ohm=lambda t, _: 185.0 if t > 5.2 else 5000.0)
    bench.samples(104)
    assert bench.channel.phase is Phase.IMPEDANCE
    bench.samples(1)
    assert bench.channel.reference is not None
    assert bench.channel.reference.impedance_ohm == 185.0


# people


def test_a_checklist_that_is_declined_refuses_the_procedure() -> None:
    bench = at_stage(Stage.CHECKLIST)
    assert Off in kinds(bench.answer(Question.CHECKLIST, Choice.DECLINE))
    assert bench.finished().finish[:3] == (Outcome.REFUSED, 3, True)


def test_the_checklist_reads_out_the_plan_and_notes_who_confirmed() -> None:
    bench = at_stage(Stage.CHECKLIST)
    assert bench.state.question is not None
    assert all(item in bench.state.question.text for item in bench.setup.plan.checklist)
    bench.answer(Question.CHECKLIST, Choice.CONFIRM)
    assert "tester" in bench.notes("checklist")[0].text


@pytest.mark.parametrize(
    "phase", [Phase.IDLE, Phase.IMPEDANCE, Phase.SENSORY, Phase.ARM_READY, Phase.ARMED, Phase.HOLD]
)
@pytest.mark.parametrize(
    ("question", "choice"),
    [(Question.REPOSITION, Choice.DONE), (Question.ANAESTHETIC, Choice.GIVEN), (Question.MOTOR, Choice.NONE)],
)
def test_an_answer_that_was_not_asked_for_is_ignored_and_noted(
    phase: Phase, question: Question, choice: Choice
) -> None:
    bench = at(phase)
    before = bench.state
    (note,) = bench.answer(question, choice)
    assert isinstance(note, Note)
    assert (note.level, note.code) == (Level.WARNING, "answer_ignored")
    assert str(choice) in note.text
    assert bench.state == before


def test_a_choice_that_was_not_offered_is_ignored() -> None:
    bench = at(Phase.SENSORY)
    bench.answer(Question.SENSORY, Choice.NONE)
    assert bench.channel.phase is Phase.SENSORY
    assert bench.notes("answer_ignored")


def test_ownership_is_taken_under_the_sessions_number() -> None:
    assert at_stage(Stage.CHECKLIST).owner == SESSION
    assert TWO_SITES[0].name in at(Phase.IMPEDANCE).notes("site")[0].text
