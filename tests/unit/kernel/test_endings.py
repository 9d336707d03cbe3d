"""Every way in which a procedure ends early: off in the same step, the right words, the right exit code."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rfctl.kernel.effects import (
    Arm,
    Claim,
    Configure,
    ConfigureStimulation,
    Effect,
    Finish,
    Fire,
    Grant,
    Off,
    Outcome,
    Release,
    SetAmplitude,
    StartStimulation,
)
from rfctl.kernel.events import (
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Failed,
    Missed,
    Question,
    RecordFailed,
    Sampled,
)
from rfctl.kernel.phase import OFF_VERIFYING, ON_SITE, PERMITTED, Phase
from rfctl.kernel.state import Stage
from tests.unit.kernel.bench import REACHABLE, Bench, Person, at, at_stage

ENERGISING = (Grant, Claim, Configure, ConfigureStimulation, Arm, Fire, StartStimulation, SetAmplitude)
OPEN_STAGES = (Stage.STARTING, Stage.CLAIMING, Stage.CHECKLIST, Stage.TREATING)
OPEN_PHASES = tuple(phase for phase in REACHABLE if phase is not Phase.ENDED)


def energised_after(bench: Bench, decisions: int) -> list[Effect]:
    """What was asked for to energise, from this decision on."""
    return [e for d in bench.decisions[decisions:] for e in d.effects if isinstance(e, ENERGISING)]


def deliver_everything_late(bench: Bench) -> None:
    """Whatever an effect had asked for, and every confirmation that there is, arrives after the end."""
    while bench.pending:
        bench.feed(bench.pending.popleft())
    bench.feed(Durable(bench.now_ns, bench.state.intent))
    for command in Command:
        if command is not Command.RELEASE:
            bench.feed(Completed(bench.now_ns, command, 1, 99))
    for choice in Choice:
        bench.answer(Question.START, choice)


# a person stops


@pytest.mark.parametrize("phase", OPEN_PHASES, ids=lambda phase: phase.name)
def test_a_stop_gives_off_in_the_same_step_from_every_phase(phase: Phase) -> None:
    bench = at(phase)
    under_work = sum(channel.site >= 0 and channel.phase is not Phase.DONE for channel in bench.state.channels)
    done = [result.end_reason for result in bench.state.results]
    (off,) = bench.stop("surgeon")
    after = len(bench.decisions)
    assert off == Off("stopped by surgeon")
    assert set(bench.phases) == {Phase.ENDED}
    deliver_everything_late(bench)
    bench.finished()
    assert bench.finish == Finish(Outcome.STOPPED, 3, off_verified=True, text="stopped by surgeon")
    assert energised_after(bench, after) == []
    assert [r.end_reason for r in bench.state.results] == done + ["stopped by surgeon"] * under_work


@pytest.mark.parametrize("stage", OPEN_STAGES)
def test_a_stop_gives_off_in_the_same_step_from_every_stage(stage: Stage) -> None:
    bench = at_stage(stage)
    assert isinstance(bench.stop()[0], Off)
    assert bench.finished().finish[:3] == (Outcome.STOPPED, 3, True)


@pytest.mark.parametrize("stage", [Stage.ENDING, Stage.RELEASING])
def test_a_stop_while_ending_gives_off_once_more_and_changes_nothing_else(stage: Stage) -> None:
    bench = at_stage(stage)
    before = bench.state
    assert [type(effect) for effect in bench.stop()] == [Off]
    assert bench.state == before
    assert bench.finished().finish.outcome is Outcome.COMPLETE


@pytest.mark.requirement("procedure.partial-dose")
def test_what_was_delivered_before_a_stop_is_kept() -> None:
    bench = at(Phase.HOLD)
    bench.samples(40)
    bench.stop()
    figures = bench.finished().state.results[0].figures
    assert figures is not None
    assert figures.held_s == pytest.approx(2.0)
    assert figures.peak_c == 80.0


# an interlock trips


@pytest.mark.parametrize("phase", OPEN_PHASES, ids=lambda phase: phase.name)
def test_a_trip_gives_off_in_the_same_step_from_every_phase(phase: Phase) -> None:
    bench = at(phase)
    number = bench.active
    if phase in ON_SITE:
        code, exit_code, outcome = "thermocouple_open", 3, Outcome.STOPPED
        bench.alter(number, thermocouple_open=True, temperature_c=float("nan"))
    else:
        code, exit_code, outcome = "link_silent", 4, Outcome.FAILED
        bench.silence(2.1)
    effects = bench.sample()
    after = len(bench.decisions)
    assert isinstance(effects[0], Off)
    assert not any(isinstance(effect, ENERGISING) for effect in effects)
    assert bench.codes[0] == code
    deliver_everything_late(bench)
    bench.finished()
    assert bench.finish[:3] == (outcome, exit_code, True)
    assert energised_after(bench, after) == []


def test_a_second_trip_while_ending_restarts_nothing() -> None:
    bench = at(Phase.HOLD)
    bench.alter(1, temperature_c=96.0, rf_on=True)
    bench.sample()
    since_ns = bench.state.since_ns
    bench.samples(7)
    assert bench.codes[0] == "temperature_max"
    assert "off_not_verified" in bench.codes
    assert (bench.state.stage, bench.state.since_ns) == (Stage.ENDING, since_ns)
    assert len(bench.state.results) == 1
    bench.alter(1, rf_on=False)
    assert bench.finished().finish[:2] == (Outcome.STOPPED, 3)


def test_one_cause_has_one_code_that_of_the_first_row_which_acts() -> None:
    bench = at(Phase.HOLD)
    bench.alter(1, temperature_c=100.0, fault_bits=1)
    bench.sample()
    assert bench.codes == ["temperature_max"]
    assert bench.finished().finish.exit_code == 3


def test_every_verdict_comes_with_off_in_its_own_step() -> None:
    bench = at_stage(Stage.ENDING)
    bench.alter(2, stimulating=True)
    bench.until(lambda b: "off_not_verified" in b.codes)
    effects = bench.decisions[-1].effects
    assert isinstance(effects[0], Off)


def test_the_dose_stays_known_when_a_reading_has_no_number() -> None:
    bench = at(Phase.HOLD)
    bench.samples(20)
    nan = float("nan")
    bench.alter(1, temperature_c=nan, current_ma_rms=nan, impedance_ohm=nan, power_w=nan)
    bench.sample()
    figures = bench.finished().state.results[0].figures
    assert figures is not None
    assert figures.peak_c == 80.0
    assert figures.held_s == pytest.approx(1.0)
    assert figures.energy_j > 0.0
    assert figures.generator_energy_j > 0.0


# off, verified or not


@pytest.mark.parametrize(
    "phase", sorted(OFF_VERIFYING - {Phase.START_OFF, Phase.DROP_OFF}), ids=lambda phase: phase.name
)
@pytest.mark.requirement("off.measured")
def test_an_output_that_stays_on_after_off_ends_in_off_not_confirmed(phase: Phase) -> None:
    bench = at(phase)
    bench.alter(bench.active, rf_on=True)
    bench.samples(5)
    assert bench.codes == []
    bench.sample()
    assert bench.codes == ["off_not_verified"]
    bench.finished()
    assert bench.finish[:3] == (Outcome.FAILED, 4, False)
    assert "OFF NOT CONFIRMED" in bench.finish.text
    assert "mains" in bench.finish.text


@pytest.mark.parametrize("phase", [Phase.HOLD, Phase.COOLING], ids=lambda phase: phase.name)
def test_both_outputs_stuck_after_the_end_are_said_to_be_on_as_soon_as_one_would_be(phase: Phase) -> None:
    bench = at(phase)
    bench.stop()
    bench.alter(1, rf_on=True, stimulating=True)
    bench.until(lambda b: "off_not_verified" in b.codes)
    assert bench.now_ns - bench.state.since_ns <= 350_000_000


@pytest.mark.requirement("off.again")
def test_off_is_repeated_every_200_ms_until_it_is_verified() -> None:
    bench = at(Phase.HOLD)
    bench.stop()
    after = len(bench.decisions)
    bench.alter(1, rf_on=True)
    bench.finished()
    offs = [d.event.now_ns for d in bench.decisions[after:] if any(isinstance(e, Off) for e in d.effects)]
    assert all(t1 - t0 <= 200_000_000 for t0, t1 in pairwise(offs))
    assert offs[-1] - offs[0] >= 4_500_000_000
    assert (bench.finish.exit_code, bench.finish.off_verified) == (4, False)
    assert Release not in [type(effect) for effect in bench.effects]


def test_a_stop_whose_off_is_not_verified_exits_as_a_device_fault() -> None:
    bench = at(Phase.HOLD)
    bench.alter(1, rf_band_current_ma_rms=200.0, power_w=5.0)
    bench.stop()
    bench.finished()
    assert bench.finish[:3] == (Outcome.FAILED, 4, False)
    assert "stopped by operator" in bench.finish.text


@pytest.mark.requirement("off.unanswered")
def test_an_unanswered_off_counts_as_on() -> None:
    bench = at(Phase.HOLD)
    bench.stop()
    while bench.state.stage is not Stage.ENDED:
        bench.silence(0.05)
        bench.feed(Missed(bench.now_ns, Cause.TIMEOUT, "no reply"))
    assert bench.codes == ["off_uncertain"]
    assert bench.finish[:3] == (Outcome.FAILED, 4, False)


def test_a_sample_from_before_the_stop_does_not_verify_off() -> None:
    bench = at(Phase.IMPEDANCE)
    bench.sample()
    bench.stop()
    bench.feed(Missed(bench.now_ns, Cause.TIMEOUT, "no reply"))
    assert bench.state.stage is Stage.ENDING


@pytest.mark.parametrize("phase", [Phase.SENSORY_OFF, Phase.MOTOR_OFF, Phase.LESION_OFF], ids=lambda phase: phase.name)
def test_a_sample_that_arrives_in_the_moment_of_off_does_not_verify_it(phase: Phase) -> None:
    bench = at(phase)
    bench.feed(Sampled(bench.now_ns, bench.reading()))
    assert bench.channel.phase is phase
    bench.sample()
    assert phase not in bench.phases


def test_an_output_has_250_ms_to_go_off_after_a_stop() -> None:
    bench = at(Phase.HOLD)
    bench.samples(20)
    bench.stop()
    bench.alter(1, rf_on=lambda t, _: t < 0.251)
    bench.finished()
    assert bench.codes == []
    assert bench.finish == Finish(Outcome.STOPPED, 3, off_verified=True, text="stopped by operator")


def test_an_output_that_comes_on_during_the_release_is_turned_off_and_verified_again() -> None:
    bench = at_stage(Stage.RELEASING)
    late = bench.pending.popleft()
    bench.alter(1, rf_on=True)
    assert isinstance(bench.sample()[0], Off)
    assert (bench.state.stage, bench.state.off_verified) == (Stage.ENDING, False)
    bench.feed(late)
    assert bench.state.stage is Stage.ENDING
    assert bench.finished().finish.exit_code == 4


# release


def test_ownership_is_given_back_once_off_is_verified() -> None:
    bench = at(Phase.HOLD)
    bench.stop()
    assert [type(effect) for effect in bench.sample()] == [Release]
    assert bench.finished().owner == 0


@pytest.mark.parametrize("cause", Cause)
def test_a_release_that_times_out_or_fails_does_not_keep_the_procedure_from_ending(cause: Cause) -> None:
    bench = at_stage(Stage.RELEASING)
    bench.pending.clear()
    bench.feed(Failed(bench.now_ns, Command.RELEASE, 0, cause, "no reply"))
    assert bench.state.stage is Stage.ENDED
    assert bench.finish[:3] == (Outcome.COMPLETE, 0, True)


@pytest.mark.parametrize("stage", [*OPEN_STAGES, Stage.ENDING])
def test_a_release_that_was_not_asked_for_ends_nothing(stage: Stage) -> None:
    bench = at_stage(stage)
    bench.feed(Completed(bench.now_ns, Command.RELEASE, 0, 0))
    assert bench.state.stage is stage


# link, commands, record


@pytest.mark.parametrize("phase", OPEN_PHASES, ids=lambda phase: phase.name)
def test_a_lost_link_ends_as_a_device_fault_from_every_phase(phase: Phase) -> None:
    bench = at(phase)
    effects = bench.feed(Missed(bench.now_ns, Cause.CLOSED, "peer closed"))
    assert isinstance(effects[0], Off)
    assert bench.codes == ["link_lost"]
    assert "peer closed" in bench.state.trips[0].text
    assert bench.finished().finish[:3] == (Outcome.FAILED, 4, True)


def test_a_command_that_found_the_link_closed_is_a_lost_link() -> None:
    bench = at(Phase.SENSORY)
    bench.feed(Failed(bench.now_ns, Command.SET_AMPLITUDE, 1, Cause.CLOSED, "peer closed"))
    assert bench.codes == ["link_lost"]


@pytest.mark.parametrize(
    "command", [c for c in Command if c not in {Command.RENEW, Command.SET_OUTPUT, Command.LOWER_LIMIT}]
)
@pytest.mark.parametrize(
    ("cause", "outcome", "exit_code"),
    [
        (Cause.REFUSED, Outcome.FAILED, 4),
        (Cause.TIMEOUT, Outcome.FAILED, 4),
        (Cause.GATE, Outcome.STOPPED, 3),
    ],
)
def test_a_command_that_fails_ends_the_procedure(
    command: Command, cause: Cause, outcome: Outcome, exit_code: int
) -> None:
    bench = at(Phase.CONFIGURING)
    bench.pending.clear()
    effects = bench.feed(Failed(bench.now_ns, command, 1, cause, "function 6, exception 4"))
    assert isinstance(effects[0], Off)
    assert bench.codes == ["command_failed"]
    assert "function 6, exception 4" in bench.state.trips[0].text
    assert str(command) in bench.state.trips[0].text
    assert bench.finished().finish[:2] == (outcome, exit_code)


@pytest.mark.parametrize(("cause", "exit_code"), [(Cause.REFUSED, 4), (Cause.GATE, 3)])
def test_a_set_point_that_is_refused_ends_the_procedure(cause: Cause, exit_code: int) -> None:
    bench = at(Phase.HOLD)
    effects = bench.feed(Failed(bench.now_ns, Command.SET_OUTPUT, 1, cause, "outside the permit's envelope"))
    assert isinstance(effects[0], Off)
    assert bench.codes == ["command_failed"]
    assert bench.finished().finish.exit_code == exit_code


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.BAD_REPLY, Cause.PREEMPTED])
def test_one_set_point_that_got_no_answer_is_a_warning(cause: Cause) -> None:
    bench = at(Phase.HOLD)
    bench.feed(Failed(bench.now_ns, Command.SET_OUTPUT, 1, cause, "no reply"))
    assert [note.channel for note in bench.notes("set_output_failed")] == [1]
    assert bench.codes == []


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.BAD_REPLY, Cause.PREEMPTED])
def test_one_renewal_that_got_no_answer_is_a_warning(cause: Cause) -> None:
    bench = at(Phase.HOLD)
    bench.feed(Failed(bench.now_ns, Command.RENEW, 0, cause, "no reply"))
    assert bench.notes("renew_failed")
    assert bench.channel.phase is Phase.HOLD


@pytest.mark.parametrize("cause", [Cause.REFUSED, Cause.GATE])
def test_a_renewal_that_was_refused_ends_the_procedure(cause: Cause) -> None:
    bench = at(Phase.HOLD)
    assert isinstance(bench.feed(Failed(bench.now_ns, Command.RENEW, 0, cause, "no"))[0], Off)


@pytest.mark.parametrize("phase", OPEN_PHASES, ids=lambda phase: phase.name)
def test_a_record_that_cannot_be_written_ends_the_procedure_from_every_phase(phase: Phase) -> None:
    bench = at(phase)
    effects = bench.feed(RecordFailed(bench.now_ns, "No space left on device"))
    assert isinstance(effects[0], Off)
    assert bench.codes == ["record_failed"]
    assert "No space left on device" in bench.state.trips[0].text
    assert bench.finished().finish[:2] == (Outcome.FAILED, 4)


def test_a_fault_after_everything_was_delivered_is_not_reported_as_complete() -> None:
    bench = at_stage(Stage.ENDING)
    bench.feed(RecordFailed(bench.now_ns, "No space left on device"))
    assert bench.finished().finish[:3] == (Outcome.FAILED, 4, True)


# the lease


@pytest.mark.parametrize("phase", REACHABLE, ids=lambda phase: phase.name)
def test_permits_and_lease_live_only_in_phases_that_may_energise(phase: Phase) -> None:
    bench = at(phase)
    bench.pending.clear()
    bench.person = Person(silent=frozenset(Question))
    effects = bench.sample()
    granted = any(isinstance(effect, Grant) for effect in effects)
    assert granted == (bench.channel.phase in PERMITTED)
    assert bench.state.setup == at(phase).state.setup
