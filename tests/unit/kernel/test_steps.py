"""The kernel's one function, event by event, with no row in force: what is remembered, said and asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from rfctl.kernel.effects import (
    Ask,
    Claim,
    Effect,
    Finish,
    Fire,
    Grant,
    Level,
    LowerLimit,
    Note,
    Off,
    Outcome,
    Release,
    Renew,
    SetOutput,
)
from rfctl.kernel.enable_loop import Loop
from rfctl.kernel.events import (
    Answered,
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Guarded,
    Missed,
    Notice,
    Noticed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.limits import PERMIT_NS, ROWS
from rfctl.kernel.phase import LESION, PERMITTED, Phase
from rfctl.kernel.row import Action, Origin
from rfctl.kernel.state import ChannelState, KernelState, Mean, Setup, SiteResult, Stage, Trip, initial
from rfctl.kernel.step import step
from rfctl.kernel.stimulation import Check, Stimulation
from rfctl.kernel.supervision import PadHeat, cycled, sampled
from rfctl.kernel.thermal import Thermal
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import OrderOfWork
from tests.unit.kernel.acts import FIGURES, NOW_NS, READING, REFERENCE, S, history_of, measuring, together
from tests.unit.kernel.bench import setup_of

if TYPE_CHECKING:
    from rfctl.kernel.row import Row
    from rfctl.model.reading import Reading

MS = 1_000_000
BEFORE_NS = NOW_NS - 50 * MS
REST = history_of((BEFORE_NS, 37.0, 185.0))
INTENDED = Permit(1, PermitKind.LESION, Envelope(80.0, 30.0, 50.0), 0)
GRANT = Grant(replace(INTENDED, expires_ns=NOW_NS + PERMIT_NS))
IDLE = ChannelState(phase=Phase.IDLE, history=REST)
HOLD = ChannelState(
    phase=Phase.HOLD, site=0, since_ns=NOW_NS - S, history=REST, reference=REFERENCE, intended=INTENDED, intent=3,
    power_limit_w=30.0, thermal=Thermal(lowered=True),
    figures=FIGURES._replace(rf_on_ns=NOW_NS - 9 * S, hold_ns=NOW_NS - S, last_ns=BEFORE_NS),
)  # fmt: skip
NEXT = READING._replace(sample_counter=READING.sample_counter + 1)
ON = measuring(rf_on=True)
DONE_RESULT = SiteResult(0, None, None, None, (), "delivered as planned")


@cache
def _setup(channels: int, rows: tuple[Row, ...]) -> Setup:
    return replace(together(*(IDLE,) * channels).setup, rows=rows, channels=channels)


def at(*channels: ChannelState, rows: tuple[Row, ...] = (), **fields: object) -> KernelState:
    """Channels at their own sites, in treatment, since the sample before; no row is in force."""
    state = together(*channels, received_ns=BEFORE_NS, counter_ns=7, since_ns=5, started_ns=4)
    return state._replace(setup=_setup(len(channels), rows))._replace(**fields)


def treat(state: KernelState, reading: Reading = NEXT, now_ns: int = NOW_NS) -> tuple[KernelState, tuple[Effect, ...]]:
    channels = (*reading.channels, READING.channels[1])[: len(state.channels)]
    return step(state, Sampled(now_ns, reading._replace(channels=channels)))


def entered(number: int, phase: Phase) -> Note:
    return Note(Level.INFO, number, "phase", str(phase))


def ask_of(channel: int, question: Question, *choices: Choice) -> Ask:
    return Ask(channel, question, choices, "?")


def answered(question: Question, choice: Choice, by: str = "Dr. B") -> Answered:
    return Answered(NOW_NS, question, choice, by)


EVENTS: tuple[Event, ...] = (
    Sampled(NOW_NS, NEXT),
    Missed(NOW_NS, Cause.CLOSED, "gone"),
    answered(Question.CHECKLIST, Choice.CONFIRM),
    Completed(NOW_NS, Command.CLAIM, 0, 0),
    Failed(NOW_NS, Command.CLAIM, 0, Cause.REFUSED, "no"),
    Durable(NOW_NS, 1),
    Noticed(NOW_NS, Notice.SUSPENDED, 9.0),
    Stopped(NOW_NS, "x"),
    Guarded(NOW_NS, closed=False, code="x"),
    RecordFailed(NOW_NS, "x"),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_after_the_end_nothing_is_decided(event: Event) -> None:
    state = at(HOLD, stage=Stage.ENDED)
    assert step(state, event) == (state, ())


# the first act


@pytest.mark.parametrize("event", EVENTS[:1] + EVENTS[3:7], ids=lambda event: type(event).__name__)
def test_the_first_event_turns_off_and_from_then_all_times_count(event: Event) -> None:
    setup = replace(setup_of(), rows=())
    after, effects = step(initial(setup), event)
    assert effects[0] == Off("start: everything is unknown")
    channel = ChannelState(since_ns=NOW_NS, off_ns=NOW_NS)
    expected = initial(setup)._replace(
        stage=Stage.STARTING, since_ns=NOW_NS, started_ns=NOW_NS, off_ns=NOW_NS, received_ns=NOW_NS, counter_ns=NOW_NS,
        channels=(channel, channel),
    )  # fmt: skip
    if isinstance(event, Sampled):
        assert (after, len(effects)) == (expected, 1)
    elif not isinstance(event, Failed):
        assert after._replace(supervision=expected.supervision) == expected


def test_what_ends_a_procedure_ends_it_as_its_first_event() -> None:
    after, effects = step(initial(setup_of()), Stopped(NOW_NS, "x"))
    assert effects == (Off("start: everything is unknown"), Off("stopped by x"))
    assert (after.stage, after.outcome) == (Stage.ENDING, Outcome.STOPPED)


def test_a_record_that_cannot_be_written_ends_everything() -> None:
    after, effects = step(at(HOLD), RecordFailed(NOW_NS, "disk full"))
    text = "the record cannot be written: disk full; no energy without a record"
    assert effects == (Off(text), Note(Level.TRIP, 0, "record_failed", text))
    assert after.trips[0][:3] == ("record_failed", "HZ-35", 0)
    assert (after.trips[0].t_ns, after.trips[0].origin) == (NOW_NS, Origin.DEVICE)


# how old the newest sample is


AGED: tuple[Event, ...] = (
    Sampled(0, NEXT),
    Missed(0, Cause.TIMEOUT, "no reply"),
    Noticed(0, Notice.RECORD_BACKLOG, 0.0),
    Guarded(0, closed=False),
)
LINK_SILENT = tuple(row for row in ROWS if row.code == "link_silent")


@pytest.mark.parametrize("event", AGED, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize(("late_ns", "acts"), [(0, False), (1, True)])
def test_a_link_may_be_silent_for_2_s_whatever_the_event(event: Event, late_ns: int, *, acts: bool) -> None:
    state = at(IDLE, IDLE, rows=LINK_SILENT, stage=Stage.CHECKLIST)
    after, effects = step(state, event._replace(now_ns=BEFORE_NS + 2 * S + late_ns))
    assert [(trip.code, trip.t_ns) for trip in after.trips] == (
        [("link_silent", BEFORE_NS + 2 * S + 1)] if acts else []
    )
    assert (len(effects) > 0) is acts
    if acts:
        assert after.trips[0].measured == pytest.approx(2.0, abs=1e-6)


# a sample


@pytest.mark.parametrize(("before", "counter_ns"), [(None, NOW_NS), (READING, NOW_NS), (NEXT, 7)])
def test_a_sample_is_kept_with_its_time_and_whether_its_counter_advanced(
    before: Reading | None, counter_ns: int
) -> None:
    state = at(IDLE, IDLE, reading=before, stage=Stage.CHECKLIST)
    after, effects = treat(state)
    assert effects == ()
    assert (after.reading, after.received_ns, after.counter_ns) == (NEXT, NOW_NS, counter_ns)
    assert repr(after.supervision) == repr(sampled(state._replace(channels=after.channels), NEXT, NOW_NS, 0.05))
    assert [len(channel.history) for channel in after.channels] == [2, 2]


def test_pads_are_warmed_for_the_time_between_two_samples() -> None:
    heat = PadHeat(1, (), 0.0, NOW_NS, 0.0)
    state = at(HOLD)
    state = state._replace(supervision=state.supervision._replace(pads=(heat,)))
    after, _ = treat(state, measuring(rf_on=True, current_ma_rms=500.0))
    assert after.supervision.pads[0].total_a2s == pytest.approx(0.25 * 0.05)


@pytest.mark.parametrize(
    ("ages_ms", "kept"),
    [
        ((), 0),
        ((50,), 1),
        ((2000,), 1),
        ((2000, 1000), 1),
        ((2000, 999), 2),
        ((1050, 1000, 950), 2),
        ((1049, 999, 949), 3),
        ((3000, 2000, 1000), 2),
    ],
)
def test_the_history_reaches_back_to_the_last_sample_that_is_a_second_old(ages_ms: tuple[int, ...], kept: int) -> None:
    """One is let go with each sample that comes."""
    history = history_of(*((NOW_NS - age * MS, 37.0, 185.0) for age in ages_ms))
    after, _ = treat(at(IDLE._replace(history=history), stage=Stage.CHECKLIST))
    assert after.channels[0].history[:-1] == history[len(history) - kept :]
    assert after.channels[0].history[-1].now_ns == NOW_NS


@pytest.mark.parametrize("phase", [*sorted(LESION), Phase.LESION_OFF, Phase.COOLING, Phase.DISARM_OFF, Phase.VOID_OFF])
def test_what_was_delivered_is_summed_with_rf_on_and_its_warmth_until_the_tip_is_cool(phase: Phase) -> None:
    reading = measuring(temperature_c=55.0, power_w=6.0, rf_on=phase in LESION)
    history = history_of((BEFORE_NS, 55.0, 185.0))
    probing = phase is Phase.PROBE
    after, _ = treat(at(HOLD._replace(phase=phase, history=history, probing=probing, off_ns=NOW_NS)), reading)
    figures = after.channels[0].figures
    assert figures is not None
    heating, warm = phase in LESION, phase in LESION or phase in {Phase.LESION_OFF, Phase.COOLING}
    assert figures.generator_energy_j == pytest.approx(0.3 if heating else 0.0)
    assert figures.above_45_k_s == pytest.approx(0.5 if warm else 0.0)


def test_each_channel_s_own_power_is_summed() -> None:
    first, second = READING.channels
    reading = NEXT._replace(channels=(first, second._replace(power_w=6.0)))
    after, _ = treat(at(HOLD, HOLD._replace(site=1)), reading)
    figures = [channel.figures for channel in after.channels]
    assert [each.generator_energy_j for each in figures if each] == [0.0, pytest.approx(0.3)]


@pytest.mark.parametrize("phase", [Phase.FIRING, Phase.COOLING])
def test_without_figures_there_is_nothing_to_sum(phase: Phase) -> None:
    after, _ = treat(at(HOLD._replace(phase=phase, figures=None)))
    assert after.channels[0].figures is None


def test_warnings_of_the_generator_come_before_those_of_channels() -> None:
    rows = tuple(row._replace(action=Action.WARN) for row in ROWS if row.code in {"thermocouple_open", "link_silent"})
    state = at(HOLD, rows=rows, received_ns=NOW_NS - 3 * S)
    _, effects = treat(state, measuring(thermocouple_open=True))
    codes = [effect.code for effect in effects if isinstance(effect, Note)]
    assert codes == ["link_silent", "thermocouple_open"]


def test_every_channel_is_judged() -> None:
    rows = tuple(row for row in ROWS if row.code == "thermocouple_open")
    first, second = READING.channels
    for number, channels in (
        (1, (first._replace(thermocouple_open=True), second)),
        (2, (first, second._replace(thermocouple_open=True))),
    ):
        state = at(HOLD, HOLD._replace(site=1), rows=rows)
        assert [trip.channel for trip in treat(state, NEXT._replace(channels=channels))[0].trips] == [number]


def test_what_the_station_notices_is_remembered_and_judged() -> None:
    rows = tuple(row for row in ROWS if row.code == "suspended")
    event = Noticed(NOW_NS, Notice.SUSPENDED, 0.3)
    state = at(HOLD)
    expected = state._replace(supervision=state.supervision._replace(suspended_s=0.3))
    assert step(state, event) == (expected, ())
    after, effects = step(at(HOLD, rows=rows), event)
    assert [(trip.code, trip.measured, trip.t_ns) for trip in after.trips] == [("suspended", 0.3, NOW_NS)]
    assert isinstance(effects[0], Off)


# permits and lease


@pytest.mark.parametrize(
    "phase", [phase for phase in Phase if phase not in {Phase.ARMED, Phase.PROBE, Phase.DONE, Phase.DROPPED}]
)
def test_each_sample_renews_permits_and_lease_where_energy_is_permitted(phase: Phase) -> None:
    state = at(IDLE, HOLD._replace(site=1, phase=phase, intended=replace(INTENDED, channel=2)), stage=Stage.CHECKLIST)
    _, effects = treat(state, ON)
    renewals = tuple(effect for effect in effects if isinstance(effect, Grant | Renew))
    grant = Grant(replace(INTENDED, channel=2, expires_ns=NOW_NS + PERMIT_NS))
    assert renewals == ((grant, Renew()) if phase in PERMITTED else ())


def test_set_points_and_limits_are_written_under_the_permit_of_the_same_decision() -> None:
    from rfctl.kernel.actions import fire

    state = at(HOLD._replace(thermal=Thermal()))
    state = state._replace(setup=replace(state.setup, set_point=SetPoint.POWER))
    state = fire(state, 1, NOW_NS - S, 0)[0]
    channel = state.channels[0]
    assert channel.figures is not None
    state = state._replace(channels=(channel._replace(figures=channel.figures._replace(hold_ns=NOW_NS - S)),))
    _, effects = treat(state, measuring(rf_on=True, temperature_c=80.0, impedance_ohm=150.0))
    assert [type(effect) for effect in effects] == [Grant, LowerLimit, SetOutput, Renew]


def test_without_anything_permitted_nothing_is_renewed() -> None:
    assert treat(at(IDLE, IDLE, stage=Stage.CHECKLIST))[1] == ()


# the end


@pytest.mark.parametrize("stage", [Stage.ENDING, Stage.RELEASING])
@pytest.mark.parametrize("event", [Sampled(NOW_NS, ON), Missed(NOW_NS, Cause.CLOSED, "gone")], ids=["sample", "missed"])
def test_while_it_ends_off_is_verified_and_nothing_else_goes_on(stage: Stage, event: Event) -> None:
    ended = IDLE._replace(phase=Phase.ENDED)
    state = at(ended, stage=stage, since_ns=NOW_NS - 220 * MS, off_ns=NOW_NS - 220 * MS, reading=ON)
    after, effects = step(state, event)
    again = "off not verified yet" if stage is Stage.ENDING else "an output came on again after off had been verified"
    assert effects == (Off(again),)
    assert (after.stage, after.off_ns) == (Stage.ENDING, NOW_NS)


def test_a_sample_that_shows_off_ends_it() -> None:
    after, effects = treat(at(IDLE._replace(phase=Phase.ENDED), stage=Stage.ENDING))
    assert effects == (Release(),)
    assert after.stage is Stage.RELEASING


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in {Stage.UNKNOWN, Stage.ENDED}])
def test_a_stop_is_off_in_every_stage(stage: Stage) -> None:
    state = at(HOLD, stage=stage)
    after, effects = step(state, Stopped(NOW_NS, "x"))
    if stage in {Stage.ENDING, Stage.RELEASING}:
        assert (after, effects) == (state, (Off("stop by x"),))
    else:
        assert effects == (Off("stopped by x"),)
        assert (after.stage, after.outcome, after.exit_code) == (Stage.ENDING, Outcome.STOPPED, 3)
        assert after.since_ns == NOW_NS


def test_a_poll_that_gave_nothing_is_a_cycle_and_a_lost_link_the_end() -> None:
    state = at(HOLD)
    after, effects = step(state, Missed(NOW_NS, Cause.TIMEOUT, "no reply"))
    assert (after, effects) == (state._replace(supervision=cycled(state.supervision, NOW_NS)), ())
    after, effects = step(state, Missed(NOW_NS, Cause.CLOSED, "gone"))
    text = "connection to the generator lost (gone); its own lease must stop it"
    assert effects == (Off(text), Note(Level.TRIP, 0, "link_lost", text))
    assert after.trips[0][:3] == ("link_lost", "HZ-17", 0)


# the start


@pytest.mark.parametrize(("reading", "off"), [(NEXT, True), (ON, False), (measuring(stimulating=True), False)])
def test_the_generator_is_claimed_once_every_output_is_measured_off(reading: Reading, *, off: bool) -> None:
    start = ChannelState(phase=Phase.START_OFF, history=REST, off_ns=NOW_NS - S)
    state = at(start, start, stage=Stage.STARTING, reading=None)
    after, effects = treat(state, reading)
    assert effects == ((Claim(clear_faults=True),) if off else ())
    assert (after.stage, after.since_ns) == ((Stage.CLAIMING, NOW_NS) if off else (Stage.STARTING, 5))
    phases = {(channel.phase, channel.since_ns) for channel in after.channels}
    assert phases == {(Phase.IDLE, NOW_NS) if off else (Phase.START_OFF, 0)}


def test_who_only_watches_claims_nothing() -> None:
    state = at(ChannelState(), stage=Stage.STARTING)
    state = state._replace(setup=replace(state.setup, plan=replace(state.setup.plan, sites=())))
    after, effects = treat(state)
    assert effects == ()
    assert (after.stage, after.since_ns, after.channels[0].phase) == (Stage.STANDING_BY, NOW_NS, Phase.IDLE)


def test_faults_of_an_earlier_session_are_said_before_they_are_cleared() -> None:
    first, second = NEXT.channels
    reading = NEXT._replace(fault_bits=0x12, channels=(first, second._replace(fault_bits=0x8000)))
    _, effects = treat(at(ChannelState(), ChannelState(), stage=Stage.STARTING), reading)
    said = "the generator still shows faults from before: bits"
    assert effects == (
        Note(Level.WARNING, 0, "faults_left", f"{said} 0x0012"),
        Note(Level.WARNING, 2, "faults_left", f"{said} 0x8000"),
        Claim(clear_faults=True),
    )


@pytest.mark.parametrize(
    ("monitored", "more"), [(True, ""), (False, "; dispersive electrode looked at: this generator does not monitor it")]
)
def test_the_checklist_is_asked_for_once_the_generator_is_owned(more: str, *, monitored: bool) -> None:
    state = at(IDLE, stage=Stage.CLAIMING)
    state = state._replace(setup=replace(state.setup, pad_monitored=monitored))
    after, effects = step(state, Completed(NOW_NS, Command.CLAIM, 0, 0))
    text = f"Confirm the checklist: implanted device: none; two-person time-out{more}"
    asked = Ask(0, Question.CHECKLIST, (Choice.CONFIRM, Choice.DECLINE), text)
    assert effects == (asked,)
    supervision = cycled(state.supervision, NOW_NS)
    assert after == state._replace(stage=Stage.CHECKLIST, since_ns=NOW_NS, question=asked, supervision=supervision)


@pytest.mark.parametrize(
    ("stage", "command"),
    [
        (Stage.TREATING, Command.CLAIM),
        (Stage.STARTING, Command.CLAIM),
        (Stage.ENDING, Command.RELEASE),
        (Stage.TREATING, Command.SET_OUTPUT),
    ],
)
def test_what_nobody_waits_for_is_a_cycle_and_nothing_more(stage: Stage, command: Command) -> None:
    state = at(HOLD, stage=stage)
    expected = state._replace(supervision=cycled(state.supervision, NOW_NS))
    assert step(state, Completed(NOW_NS, command, 1, 0)) == (expected, ())


def test_the_last_word_comes_with_the_release() -> None:
    state = at(IDLE, stage=Stage.RELEASING, off_verified=True, ending="x")
    after, effects = step(state, Completed(NOW_NS, Command.RELEASE, 0, 0))
    assert effects == (Finish(Outcome.COMPLETE, 0, off_verified=True, text="x"),)
    assert after.stage is Stage.ENDED


def test_what_arm_gives_is_the_token() -> None:
    state = at(HOLD._replace(phase=Phase.ARMING), group=(1,))
    after, effects = step(state, Completed(NOW_NS, Command.ARM, 1, 99))
    assert (after.channels[0].phase, after.channels[0].token) == (Phase.ARMED, 99)
    assert isinstance(effects[-1], Ask)


# people


CHECKLIST = ask_of(0, Question.CHECKLIST, Choice.CONFIRM, Choice.DECLINE)


@pytest.mark.parametrize(
    ("asked", "question", "choice"),
    [
        (None, Question.CHECKLIST, Choice.CONFIRM),
        (CHECKLIST, Question.ARM, Choice.CONFIRM),
        (CHECKLIST, Question.CHECKLIST, Choice.ARM),
    ],
)
def test_an_answer_that_was_not_asked_for_is_said_and_ignored(
    asked: Ask | None, question: Question, choice: Choice
) -> None:
    state = at(IDLE, question=asked)
    text = f"answer {choice} to {question} was not asked for and is ignored"
    assert step(state, answered(question, choice)) == (state, (Note(Level.WARNING, 0, "answer_ignored", text),))


@pytest.mark.parametrize("monitored", [True, False])
def test_the_checklist_confirmed_begins_the_treatment(*, monitored: bool) -> None:
    state = at(IDLE, stage=Stage.CHECKLIST, question=CHECKLIST)
    state = state._replace(setup=replace(state.setup, pad_monitored=monitored))
    after, effects = step(state, answered(Question.CHECKLIST, Choice.CONFIRM))
    assert after == state._replace(stage=Stage.TREATING, since_ns=NOW_NS, question=None)
    notes = [Note(Level.INFO, 0, "checklist", "checklist confirmed by Dr. B")]
    if not monitored:
        text = "dispersive electrode not monitored by this generator; acknowledged by Dr. B"
        notes.append(Note(Level.WARNING, 0, "pad_not_monitored", text))
    assert effects == tuple(notes)


def test_the_checklist_declined_refuses_everything() -> None:
    after, effects = step(at(IDLE, question=CHECKLIST), answered(Question.CHECKLIST, Choice.DECLINE))
    assert effects == (Off("the checklist was not confirmed"),)
    assert (after.outcome, after.exit_code, after.question, after.since_ns) == (Outcome.REFUSED, 3, None, NOW_NS)


MOTOR = HOLD._replace(
    phase=Phase.MOTOR, figures=None, amplitude=1.0, mean=Mean(3, 1.0, 2.0), warned=frozenset({"x"}),
    stimulation=Stimulation(Check.MOTOR),
)  # fmt: skip
MOTOR_ASKED = ask_of(1, Question.MOTOR, Choice.STEP_DOWN, Choice.RESPONSE, Choice.NONE)


def test_within_a_phase_nothing_of_it_begins_anew() -> None:
    state = at(MOTOR, question=MOTOR_ASKED)
    after, effects = step(state, answered(Question.MOTOR, Choice.STEP_DOWN))
    assert len(effects) == 1
    channel = after.channels[0]
    assert (channel.amplitude, channel.mean, channel.warned, channel.since_ns) == (
        0.9, MOTOR.mean, MOTOR.warned, MOTOR.since_ns,
    )  # fmt: skip
    assert after.question == MOTOR_ASKED
    assert after.answered == answered(Question.MOTOR, Choice.STEP_DOWN)


def test_a_phase_begins_with_its_time_without_warnings_and_means_of_the_one_before() -> None:
    state = at(MOTOR, question=MOTOR_ASKED)
    after, effects = step(state, answered(Question.MOTOR, Choice.RESPONSE))
    assert effects[0] == entered(1, Phase.REPOSITION_OFF)
    channel = after.channels[0]
    assert (channel.phase, channel.since_ns, channel.warned, channel.mean) == (
        Phase.REPOSITION_OFF, NOW_NS, frozenset(), Mean(),
    )  # fmt: skip
    assert after.question is None


@pytest.mark.parametrize("question", [None, MOTOR_ASKED._replace(channel=2)])
def test_a_question_to_another_channel_stays_open(question: Ask | None) -> None:
    state = at(HOLD._replace(phase=Phase.LESION_OFF), question=question)
    after, effects = treat(state)
    assert entered(1, Phase.COOLING) in effects
    assert after.question == question


def test_an_answer_that_is_not_possible_now_is_said_and_changes_nothing() -> None:
    state = at(IDLE, MOTOR._replace(site=1), question=MOTOR_ASKED._replace(channel=2))
    event = answered(Question.MOTOR, Choice.NONE)
    text = "answer none to motor is not possible now and is ignored"
    after, effects = step(state, event)
    assert effects == (Note(Level.WARNING, 2, "answer_ignored", text),)
    assert after == state._replace(answered=event)


READY = HOLD._replace(phase=Phase.ARM_READY, figures=None)
ARM_ASKED = ask_of(1, Question.ARM, Choice.ARM, Choice.REPOSITION)
START_ASKED = ask_of(2, Question.START, Choice.START)


def test_the_word_to_arm_is_kept_for_the_next_sample() -> None:
    state = at(IDLE, READY._replace(site=1), question=ARM_ASKED, group=(2,))
    event = answered(Question.ARM, Choice.ARM)
    after, effects = step(state, event)
    assert effects == (Note(Level.INFO, 2, "arm", "the word to arm was given by Dr. B"),)
    assert after == state._replace(armed_by="Dr. B", question=None, answered=event)


def test_the_word_to_start_fires_the_group() -> None:
    armed = HOLD._replace(phase=Phase.ARMED, figures=None, token=7, since_ns=NOW_NS - S)
    state = at(
        READY, armed._replace(site=1), armed._replace(site=2), question=START_ASKED._replace(channel=1), group=(2, 3)
    )
    after, effects = step(state, answered(Question.START, Choice.START))
    assert [effect.channel for effect in effects if isinstance(effect, Fire)] == [2, 3]
    assert [channel.phase for channel in after.channels] == [Phase.ARM_READY, Phase.FIRING, Phase.FIRING]
    assert (after.started, after.question) == (True, None)


def test_a_word_to_start_that_is_not_possible_starts_nothing_later() -> None:
    armed = HOLD._replace(phase=Phase.ARMED, figures=None, token=0, since_ns=NOW_NS - S)
    state = at(armed, question=START_ASKED, group=(1,))
    event = answered(Question.START, Choice.START)
    after, effects = step(state, event)
    text = "answer start to start is not possible now and is ignored"
    assert effects == (Note(Level.WARNING, 2, "answer_ignored", text),)
    assert after == state._replace(answered=event)


def test_a_reposition_instead_of_arming_is_for_the_whole_group() -> None:
    state = at(READY, READY._replace(site=1), question=ARM_ASKED, group=(1, 2))
    after, effects = step(state, answered(Question.ARM, Choice.REPOSITION))
    assert [channel.phase for channel in after.channels] == [Phase.VOID_OFF, Phase.VOID_OFF]
    assert (after.started, after.question) == (False, None)
    assert sum(isinstance(effect, Off) for effect in effects) == 2


def test_a_site_is_left_out_by_its_own_question_only() -> None:
    void = HOLD._replace(
        phase=Phase.STIM_REQUIRED, figures=None, stimulation=Stimulation(void_code="moved", void_text="moved away")
    )
    state = at(void, question=ask_of(1, Question.POSITION, Choice.LEAVE_OUT))
    after, effects = step(state, answered(Question.POSITION, Choice.LEAVE_OUT))
    assert effects[0] == Off("moved away; left out by Dr. B")
    assert after.stage is Stage.ENDING
    optional = void._replace(phase=Phase.MOTOR_CHOICE)
    state = at(optional, question=ask_of(1, Question.PERFORM, Choice.LEAVE_OUT))
    after, _ = step(state, answered(Question.PERFORM, Choice.LEAVE_OUT))
    assert after.channels[0].phase is Phase.ANAESTHETIC_NEXT
    state = at(void, question=ask_of(1, Question.POSITION, Choice.DONE))
    after, _ = step(state, answered(Question.POSITION, Choice.DONE))
    assert after.channels[0].phase is Phase.QUEUED


# intents and the enable loop


def intending(number_of_intent: int, site: int = 0) -> ChannelState:
    return HOLD._replace(phase=Phase.LESION_INTENT, figures=None, intent=number_of_intent, site=site)


def test_a_durable_intent_lets_its_own_channel_go_on() -> None:
    state = at(intending(3), intending(4, 1))
    after, effects = step(state, Durable(NOW_NS, 4))
    assert [channel.phase for channel in after.channels] == [Phase.LESION_INTENT, Phase.CONFIGURING]
    assert effects[0] == entered(2, Phase.CONFIGURING)
    assert after.channels[1].since_ns == NOW_NS
    assert step(state, Durable(NOW_NS, 5)) == (state, ())


def guarded(state: KernelState, loop: Loop) -> KernelState:
    return state._replace(setup=replace(state.setup, guarded=True), loop=loop)


def test_a_durable_intent_waits_for_the_loop() -> None:
    state = guarded(at(intending(3)), Loop(silent_ns=5, waiting=(9,)))
    after, effects = step(state, Durable(NOW_NS, 3))
    assert (after, effects) == (state._replace(loop=Loop(silent_ns=5, waiting=(9, 3))), ())
    closed = guarded(state, Loop(closed=True))
    assert step(closed, Durable(NOW_NS, 3))[0].channels[0].phase is Phase.CONFIGURING


@pytest.mark.parametrize("closed", [False, True])
def test_what_waited_goes_on_when_the_loop_is_closed(*, closed: bool) -> None:
    state = guarded(at(intending(3), intending(4, 1)), Loop(waiting=(3, 4)))
    after, effects = step(state, Guarded(NOW_NS, closed=closed, silent_ns=6))
    assert after.loop == Loop(closed, 6, () if closed else (3, 4))
    phase = Phase.CONFIGURING if closed else Phase.LESION_INTENT
    assert [(channel.phase, channel.since_ns == NOW_NS) for channel in after.channels] == [(phase, closed)] * 2
    assert [effect.channel for effect in effects if isinstance(effect, Note)] == ([1, 2] if closed else [])


def test_what_waited_goes_nowhere_where_the_same_event_ends_it() -> None:
    rows = tuple(row for row in ROWS if row.code == "guard_silent")
    state = guarded(at(intending(3), rows=rows), Loop(waiting=(3,)))
    after, effects = step(state, Guarded(NOW_NS, closed=True, silent_ns=NOW_NS - S))
    assert [type(effect) for effect in effects] == [Off, Note]
    assert (after.stage, after.channels[0].phase) == (Stage.ENDING, Phase.ENDED)


@pytest.mark.parametrize("stage", [Stage.ENDING, Stage.RELEASING])
@pytest.mark.parametrize("code", ["", "stop", "x"])
def test_while_it_ends_the_loop_is_only_noted(stage: Stage, code: str) -> None:
    state = guarded(at(IDLE, stage=stage), Loop(waiting=(3,)))
    after, effects = step(state, Guarded(NOW_NS, closed=True, code=code))
    assert (after, effects) == (state._replace(loop=Loop(closed=True)), ())


def test_a_stop_at_the_guard_is_a_person_s_and_any_other_code_a_fault() -> None:
    state = guarded(at(IDLE), Loop())
    after, effects = step(state, Guarded(NOW_NS, closed=False, code="stop", hazard="HZ-43", text="the button"))
    assert effects == (Off("stopped by the button"),)
    assert (after.outcome, after.since_ns) == (Outcome.STOPPED, NOW_NS)
    after, effects = step(state, Guarded(NOW_NS, closed=False, code="hot", hazard="HZ-01", text="96 degC"))
    text = "the guard has let go of the enable loop: 96 degC"
    assert effects == (Off(text), Note(Level.TRIP, 0, "guard_hot", text))
    assert (after.outcome, after.trips[0].hazard, after.trips[0].t_ns) == (Outcome.FAILED, "HZ-01", NOW_NS)


# which sites


@pytest.mark.parametrize("over", [Phase.DONE, Phase.DROPPED])
def test_in_batch_all_sites_that_are_left_are_begun(over: Phase) -> None:
    done = HOLD._replace(phase=over, thermal=Thermal(heated_ns=5, biased=True, lowered=True), since_ns=3)
    state = at(done, IDLE, IDLE, results=(DONE_RESULT,), group=(1,), armed_by="x", started=True)
    after, effects = treat(state)
    assert [(channel.phase, channel.site, channel.since_ns) for channel in after.channels] == [
        (Phase.IDLE, -1, NOW_NS), (Phase.IMPEDANCE, 1, NOW_NS), (Phase.QUEUED, 2, NOW_NS),
    ]  # fmt: skip
    assert (after.group, after.armed_by, after.started) == ((), "", False)
    assert effects[0] == entered(2, Phase.IMPEDANCE)


def test_site_by_site_the_next_one_is_begun_with_what_heat_has_left() -> None:
    used = IDLE._replace(thermal=Thermal(heated_ns=5, biased=True, lowered=True), amplitude=1.0)
    state = at(HOLD._replace(phase=Phase.DONE), used, IDLE, results=(DONE_RESULT,))
    plan = replace(state.setup.plan, order=OrderOfWork.SITE_BY_SITE)
    after, _ = treat(state._replace(setup=replace(state.setup, plan=plan)))
    assert [channel.site for channel in after.channels] == [-1, 1, -1]
    channel = after.channels[1]
    expected = ChannelState(
        phase=Phase.IMPEDANCE, since_ns=NOW_NS, site=1, history=channel.history,
        thermal=Thermal(biased=True, heated_ns=5),
    )  # fmt: skip
    assert channel == expected
    assert len(channel.history) == 2


def test_as_long_as_one_is_under_work_none_is_begun() -> None:
    state = at(HOLD._replace(phase=Phase.DONE), HOLD._replace(site=1), IDLE, results=(DONE_RESULT,))
    after, _ = treat(state)
    assert [channel.site for channel in after.channels] == [0, 1, -1]


def test_only_in_treatment_a_site_is_begun() -> None:
    after, effects = treat(at(IDLE, stage=Stage.CHECKLIST))
    assert (after.channels[0].phase, effects) == (Phase.IDLE, ())
    assert treat(at(IDLE))[0].channels[0].phase is Phase.IMPEDANCE


def dropped(channel: int, text: str) -> Trip:
    return Trip("code", "HZ-1", channel, 1.0, 2.0, "K", 5, text, Action.TRIP, Origin.PROCESS)


@pytest.mark.parametrize(
    ("sites", "trips", "outcome", "exit_code", "text"),
    [
        (2, (), Outcome.COMPLETE, 0, "delivered as planned"),
        (2, (dropped(0, "whole"),), Outcome.COMPLETE, 0, "delivered as planned"),
        (2, (dropped(2, "hot"),), Outcome.STOPPED, 3, "1 of 2 sites dropped: hot"),
        (
            3,
            (dropped(2, "hot"), dropped(2, "again"), dropped(3, "cold")),
            Outcome.STOPPED,
            3,
            "2 of 3 sites dropped: hot",
        ),
        (1, (dropped(1, "hot"),), Outcome.STOPPED, 3, "the site dropped: hot"),
    ],
)
def test_after_the_last_site_it_ends_and_says_what_was_dropped(
    sites: int, trips: tuple[Trip, ...], outcome: Outcome, exit_code: int, text: str
) -> None:
    after, effects = treat(at(*(IDLE,) * sites, results=(DONE_RESULT,) * sites, trips=trips))
    assert effects == (Off(text),)
    assert (after.stage, after.outcome, after.exit_code) == (Stage.ENDING, outcome, exit_code)
    assert after.since_ns == NOW_NS


# commands that fail


def failed(command: Command, cause: Cause, channel: int = 1) -> Failed:
    return Failed(NOW_NS, command, channel, cause, "because")


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize("stage", [Stage.ENDING, Stage.RELEASING])
def test_while_it_ends_only_a_release_that_fails_is_heard(command: Command, stage: Stage) -> None:
    state = at(IDLE, stage=stage, off_verified=True)
    after, effects = step(state, failed(command, Cause.CLOSED))
    if command is Command.RELEASE and stage is Stage.RELEASING:
        assert [type(effect) for effect in effects] == [Finish]
    else:
        assert (after, effects) == (state._replace(supervision=cycled(state.supervision, NOW_NS)), ())


@pytest.mark.parametrize("command", [Command.RENEW, Command.SET_OUTPUT, Command.LOWER_LIMIT])
@pytest.mark.parametrize("cause", Cause)
def test_what_the_next_decision_repeats_may_get_no_answer(command: Command, cause: Cause) -> None:
    state = at(HOLD, HOLD._replace(site=1))
    after, effects = step(state, failed(command, cause, 2))
    if cause in {Cause.TIMEOUT, Cause.BAD_REPLY, Cause.PREEMPTED}:
        assert effects == (Note(Level.WARNING, 2, f"{command}_failed", "because"),)
        due = [channel.thermal.limit_due for channel in after.channels]
        assert due == [False, command is Command.LOWER_LIMIT]
        assert after.stage is Stage.TREATING
    else:
        assert after.stage is Stage.ENDING
        assert [trip.code for trip in after.trips] == ["link_lost" if cause is Cause.CLOSED else "command_failed"]


@pytest.mark.parametrize("command", [Command.ARM, Command.CLAIM, Command.CHANNEL_OFF])
@pytest.mark.parametrize("cause", Cause)
def test_any_other_command_that_fails_ends_everything(command: Command, cause: Cause) -> None:
    after, effects = step(at(HOLD), failed(command, cause))
    (trip,) = after.trips
    assert isinstance(effects[0], Off)
    assert after.since_ns == NOW_NS
    if cause is Cause.CLOSED:
        assert trip.code == "link_lost"
        assert "because" in trip.text
        return
    origin = Origin.PROCESS if cause is Cause.GATE else Origin.DEVICE
    text = f"{command} failed ({cause}): because"
    assert (trip.code, trip.hazard, trip.text, trip.origin) == ("command_failed", "HZ-32", text, origin)


@pytest.mark.parametrize(
    ("stage", "cause", "since_ns", "again"),
    [
        (Stage.CLAIMING, Cause.REFUSED, 2 * S - 1, True),
        (Stage.CLAIMING, Cause.REFUSED, 2 * S, False),
        (Stage.CLAIMING, Cause.TIMEOUT, 1, False),
        (Stage.TREATING, Cause.REFUSED, 1, False),
    ],
)
def test_a_claim_is_repeated_for_2_s_from_the_start(stage: Stage, cause: Cause, since_ns: int, *, again: bool) -> None:
    state = at(IDLE, stage=stage, started_ns=NOW_NS - since_ns)
    after, effects = step(state, failed(Command.CLAIM, cause))
    if again:
        assert effects == (Note(Level.WARNING, 0, "claim_refused", "because; it is asked again"),)
        assert (after.stage, after.since_ns) == (Stage.STARTING, NOW_NS)
    else:
        assert after.stage is Stage.ENDING
    other, _ = step(state, failed(Command.ARM, cause))
    assert other.stage is Stage.ENDING
