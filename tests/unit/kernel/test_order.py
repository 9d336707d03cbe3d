"""Order of work: in batch, several lesions at a site, channels that heat together, one that is dropped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.kernel.effects import Ask, ChannelOff, Fire, Off, Outcome
from rfctl.kernel.events import Cause, Choice, Command, Failed, Question
from rfctl.kernel.phase import CHECKING, LESION, PERMITTED, Phase
from rfctl.model.capability import SetPoint
from rfctl.model.plan import FaultPolicy
from tests.unit.kernel.bench import AGAIN, Bench, Person, batch, setup_of, site
from tests.unit.kernel.bench import LESION as PLANNED

pytestmark = pytest.mark.slow

THREE = (site("L3, left", 1), site("L4, left", 2, further=(AGAIN,)), site("L5, left", 3))


@pytest.fixture(scope="module", params=[None, SetPoint.VOLTAGE], ids=["device", "host"])
def whole(request: pytest.FixtureRequest) -> Bench:
    """Three sites in batch, two lesions at one of them, that nothing disturbed."""
    return Bench(batch(*THREE, set_point=request.param)).finished()


def asked(bench: Bench) -> list[tuple[int, Question]]:
    return [(effect.channel, effect.question) for effect in bench.effects if isinstance(effect, Ask)]


def dropping() -> Bench:
    """Three channels heat, and the plan lets the others go on when one fails."""
    return Bench(batch(*THREE, on_fault=FaultPolicy.DROP)).reach(Phase.HOLD)


# in batch


def test_three_sites_in_batch_complete_as_planned(whole: Bench) -> None:
    assert whole.finish == (Outcome.COMPLETE, 0, True, "delivered as planned")
    assert whole.codes == []
    assert sorted((result.site, len(result.lesions)) for result in whole.state.results) == [(0, 1), (1, 2), (2, 1)]


def test_all_are_checked_then_all_anaesthetised_then_all_heated(whole: Bench) -> None:
    order = [
        (1, Question.SENSORY), (1, Question.MOTOR), (2, Question.SENSORY), (2, Question.MOTOR), (3, Question.SENSORY),
        (3, Question.MOTOR), (1, Question.ANAESTHETIC), (2, Question.ANAESTHETIC), (3, Question.ANAESTHETIC),
        (1, Question.ARM), (1, Question.START), (1, Question.ARM), (1, Question.START),
        (2, Question.MOVE), (2, Question.ARM), (2, Question.START),
    ]  # fmt: skip
    assert asked(whole)[1:] == order


def test_one_channel_at_a_time_is_checked(whole: Bench) -> None:
    for decision in whole.decisions:
        assert sum(channel.phase in CHECKING for channel in decision.after.channels) <= 1


def test_channels_are_probed_alone_and_then_heat_together(whole: Bench) -> None:
    together = [sum(c.phase in LESION for c in d.after.channels) for d in whole.decisions if d.before != d.after]
    assert max(together) == 3
    probed = [d for d in whole.decisions if any(c.phase is Phase.PROBE for c in d.after.channels)]
    assert probed
    for decision in probed:
        assert sum(c.phase in PERMITTED for c in decision.after.channels) == 1
    first_joint = next(d for d in whole.decisions if sum(c.phase in LESION for c in d.after.channels) == 3)
    assert whole.decisions.index(first_joint) > whole.decisions.index(probed[-1])
    assert all(channel.probed for channel in first_joint.after.channels)


def test_one_word_starts_all_three(whole: Bench) -> None:
    fired = [
        (index, effect.channel)
        for index, decision in enumerate(whole.decisions)
        for effect in decision.effects
        if isinstance(effect, Fire)
    ]
    assert [channel for _, channel in fired] == [1, 2, 3, 1, 2, 3, 2]
    assert len({index for index, _ in fired[3:6]}) == 1


def test_a_lesion_that_ends_before_the_others_turns_off_its_own_channel_alone() -> None:
    longer = replace(PLANNED, hold_s=9.0)
    bench = Bench(batch(site("L4, left", 1), site("L5, left", 2, lesion=longer))).reach(Phase.LESION_OFF)
    (off,) = [effect for effect in bench.decisions[-1].effects if isinstance(effect, Off | ChannelOff)]
    assert isinstance(off, ChannelOff)
    assert off.channel == 1
    assert bench.state.channels[1].phase is Phase.HOLD
    assert bench.finished().finish.outcome is Outcome.COMPLETE
    assert bench.state.results[1].lesions[0].held_s == pytest.approx(9.0, abs=0.051)


def test_a_channel_that_cannot_be_turned_off_alone_turns_everything_off() -> None:
    longer = replace(PLANNED, hold_s=9.0)
    bench = Bench(batch(site("L4, left", 1), site("L5, left", 2, lesion=longer))).reach(Phase.LESION_OFF)
    bench.pending.clear()
    effects = bench.feed(Failed(bench.now_ns, Command.CHANNEL_OFF, 1, Cause.TIMEOUT, "no reply"))
    assert isinstance(effects[0], Off)
    assert bench.codes == ["command_failed"]


def test_the_probe_counts_as_time_with_rf_on_of_the_lesion(whole: Bench) -> None:
    joint = next(d for d in whole.decisions if sum(c.phase is Phase.HOLD for c in d.after.channels) == 3)
    channel = joint.after.channels[0]
    assert channel.probe_s > 0.0
    assert channel.duration_s == pytest.approx(1.02 * ((80 - 37) / 4.3 + 40 + 5) + 1 - channel.probe_s, abs=1.0)


def test_a_token_that_ran_out_has_all_armed_again() -> None:
    bench = Bench(batch(*THREE), Person()).until(lambda b: all(c.probed for c in b.state.channels))
    bench.person = Person(silent=frozenset({Question.START}))
    bench.reach(Phase.ARMED).until(lambda b: Phase.DISARM_OFF in b.phases)
    bench.person = Person()
    bench.finished()
    assert bench.finish.outcome is Outcome.COMPLETE
    assert sum(question is Question.START for _, question in asked(bench)) == 4


@pytest.mark.parametrize("choice", [Choice.START, Choice.ARM])
def test_a_word_to_start_that_nobody_asked_for_starts_nothing(choice: Choice) -> None:
    bench = Bench(batch(*THREE)).reach(Phase.ANAESTHETIC_WAIT)
    before = bench.state
    bench.answer(Question.START, choice)
    assert bench.state == before


# cables swapped


def test_swapped_cables_are_noticed_in_the_probe_and_end_everything() -> None:
    bench = Bench(batch(*THREE, on_fault=FaultPolicy.DROP)).reach(Phase.PROBE)
    bench.alter(1, temperature_c=37.0)
    bench.alter(2, temperature_c=lambda t, _: 37.0 + 2.0 * t)
    bench.until(lambda b: bool(b.codes), limit_s=5.0)
    assert bench.codes == ["cable_swap"]
    assert bench.finished().finish[:2] == (Outcome.STOPPED, 3)


# several lesions at a site


def test_a_second_lesion_follows_the_move_and_a_new_impedance_check_without_stimulation() -> None:
    bench = Bench(setup_of(site("V, left", 1, further=(AGAIN,)))).reach(Phase.MOVE)
    before = bench.state.channels[0]
    assert before.history[-1].temperature_c < 45.0
    bench.reach(Phase.LESION_INTENT)
    assert bench.state.channels[0].lesion == 1
    assert bench.state.channels[0].sensory == before.sensory
    bench.finished()
    assert [question for _, question in asked(bench)].count(Question.SENSORY) == 1
    (result,) = bench.state.results
    assert [round(figures.held_s) for figures in result.lesions] == [5, 5]
    assert result.lesions[0].rf_on_ns < result.lesions[1].rf_on_ns


# one channel falls out


def test_a_dropped_channel_is_off_in_the_same_step_and_the_others_go_on() -> None:
    bench = dropping()
    bench.alter(2, thermocouple_open=True)
    effects = bench.sample()
    assert effects[0] == ChannelOff(2, "channel 2: dropped: verifying off")
    assert not any(isinstance(effect, Off) for effect in effects)
    assert [trip.code for trip in bench.state.trips] == ["thermocouple_open"]
    bench.finished()
    assert bench.finish[:3] == (Outcome.STOPPED, 3, True)
    assert "1 of 3 sites dropped" in bench.finish.text
    ends = {result.site: result.end_reason for result in bench.state.results}
    assert ends[0] == ends[2] == "delivered as planned"
    assert "thermocouple is open" in ends[1]


def test_by_the_other_policy_the_same_fault_stops_all() -> None:
    bench = Bench(batch(*THREE)).reach(Phase.HOLD)
    bench.alter(2, thermocouple_open=True)
    assert isinstance(bench.sample()[0], Off)
    assert set(bench.phases) == {Phase.ENDED}


@pytest.mark.parametrize(
    ("number", "fields"),
    [(0, {"fault_bits": 4}), (0, {"lease_remaining_ms": 0}), (2, {"fault_bits": 1})],
    ids=["pad", "lease", "generator"],
)
def test_a_fault_of_pad_or_generator_stops_all_by_any_policy(number: int, fields: dict[str, object]) -> None:
    bench = dropping()
    bench.alter(number, **fields)
    assert isinstance(bench.sample()[0], Off)
    assert set(bench.phases) == {Phase.ENDED}


def test_the_last_channel_is_not_dropped_but_ends_the_procedure() -> None:
    bench = dropping()
    for number in (1, 2):
        bench.alter(number, thermocouple_open=True)
        bench.sample()
    bench.alter(3, thermocouple_open=True)
    assert isinstance(bench.sample()[0], Off)
    assert set(bench.phases) == {Phase.ENDED}
    assert bench.finished().finish[:3] == (Outcome.STOPPED, 3, True)


def test_two_channels_that_fail_in_one_sample_are_both_off() -> None:
    bench = dropping()
    bench.alter(1, thermocouple_open=True)
    bench.alter(3, thermocouple_open=True)
    assert {effect.channel for effect in bench.sample() if isinstance(effect, ChannelOff)} == {1, 3}


def test_what_was_armed_with_a_dropped_channel_is_armed_anew() -> None:
    setup = batch(*THREE, on_fault=FaultPolicy.DROP)
    bench = Bench(setup).until(lambda b: all(channel.probed for channel in b.state.channels))
    bench.person = Person(silent=frozenset({Question.START}))
    bench.until(lambda b: all(channel.phase is Phase.ARMED for channel in b.state.channels))
    bench.alter(2, thermocouple_open=True)
    effects = bench.sample()
    assert isinstance(effects[0], Off)
    bench.person = Person()
    bench.finished()
    assert sorted(len(result.lesions) for result in bench.state.results) == [0, 1, 1]


def test_an_output_that_stays_on_after_the_drop_stops_all() -> None:
    bench = dropping()
    bench.alter(2, thermocouple_open=True, rf_on=True)
    bench.until(lambda b: len(b.codes) > 1, limit_s=1.0)
    assert bench.codes[1] == "off_not_verified"
    assert set(bench.phases) == {Phase.ENDED}


def test_a_word_to_start_that_was_given_to_a_group_starts_nothing_once_its_channels_have_left_it() -> None:
    """One is dropped in its probe, the result of the other becomes void, and its position is taken over."""
    setup = batch(site("L3, left", 1), site("L4, left", 2), on_fault=FaultPolicy.DROP)
    bench = Bench(setup).reach(Phase.PROBE)
    bench.person = Person(silent=frozenset(Question))
    bench.alter(1, thermocouple_open=True)
    bench.alter(2, electrode_id=0x2210)
    bench.reach(Phase.STIM_REQUIRED).samples(25)
    bench.answer(Question.POSITION, Choice.CONFIRM, "seen on two views, unchanged", "Dr. Example")
    begun = len(bench.decisions)
    bench.reach(Phase.ARM_READY).samples(60)
    assert bench.phases == (Phase.DROPPED, Phase.ARM_READY)
    assert not any(isinstance(effect, Fire) for d in bench.decisions[begun:] for effect in d.effects)
