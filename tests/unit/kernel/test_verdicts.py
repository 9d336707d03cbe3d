"""What follows from a verdict by itself: who is turned off, who goes on, what is said, and in which order."""

from __future__ import annotations

import math

import pytest

from rfctl.kernel.effects import Ask, ChannelOff, Level, Note, Off, Outcome
from rfctl.kernel.enable_loop import Loop
from rfctl.kernel.events import Answered, Choice, Question
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import Action, Origin
from rfctl.kernel.state import ChannelState, KernelState, Mean, SiteResult, Stage, Trip
from rfctl.kernel.stimulation import Stimulation
from rfctl.kernel.verdicts import end, event_trip, leave_out, take_verdicts, trip
from rfctl.model.plan import FaultPolicy
from tests.unit.kernel.acts import FIGURES, NOW_NS, REFERENCE, together

NAN = math.nan
HOLD = ChannelState(
    phase=Phase.HOLD, since_ns=3, token=7, amplitude=0.5, warned=frozenset({"old"}), mean=Mean(1, 2.0, 3.0),
    figures=FIGURES, reference=REFERENCE,
)  # fmt: skip
FIRST, SECOND, THIRD = (HOLD._replace(site=index) for index in range(3))
IDLE = ChannelState(phase=Phase.IDLE)
ARMED_WITH = (Phase.ARM_READY, Phase.LESION_INTENT, Phase.CONFIGURING, Phase.ARMING, Phase.ARMED)


def verdict(
    action: Action = Action.TRIP,
    channel: int = 2,
    code: str = "code",
    origin: Origin = Origin.PROCESS,
    *,
    stops_all: bool = False,
) -> Trip:
    return Trip(code, "HZ-1", channel, 1.0, 2.0, "K", NOW_NS, f"text of {code}", action, origin, stops_all)


def dropping(*channels: ChannelState, **fields: object) -> KernelState:
    return together(*channels, on_fault=FaultPolicy.DROP, **fields)


def said(code: str = "code", channel: int = 2, level: Level = Level.WARNING) -> Note:
    return Note(level, channel, code, f"text of {code}")


def entered(phase: Phase, channel: int) -> Note:
    return Note(Level.INFO, channel, "phase", str(phase))


def question_to(channel: int) -> Ask:
    return Ask(channel, Question.ARM, (Choice.ARM,), "?")


# warnings


def test_nothing_follows_from_nothing() -> None:
    state = together(FIRST, SECOND)
    assert take_verdicts(state, []) == (state, ())


def test_a_warning_is_said_and_remembered_where_it_belongs() -> None:
    state = together(FIRST, SECOND)
    after, effects = take_verdicts(state, [verdict(Action.WARN), verdict(Action.WARN, 0, "whole")])
    assert effects == (said(), said("whole", 0))
    assert after.channels == (FIRST, SECOND._replace(warned=frozenset({"old", "code"})))
    assert after.supervision == state.supervision._replace(warned=(("whole", NOW_NS),))
    assert after._replace(channels=state.channels, supervision=state.supervision) == state


def test_a_pause_turns_off_first_and_comes_before_what_was_said() -> None:
    state = together(FIRST, SECOND)
    after, effects = take_verdicts(state, [verdict(Action.WARN, 1, "first"), verdict(Action.PAUSE)])
    assert effects == (ChannelOff(2, "channel 2: disarmed: verifying off"), said(), said("first", 1))
    assert after.channels[1].phase is Phase.DISARM_OFF
    assert after.channels[1].since_ns == NOW_NS


# the word to start that did not come


@pytest.mark.parametrize(("asked", "kept"), [(2, False), (1, True), (None, False)])
def test_what_was_not_started_in_time_is_disarmed(asked: int | None, *, kept: bool) -> None:
    question = None if asked is None else question_to(asked)
    armed = SECOND._replace(phase=Phase.ARMED)
    after, effects = take_verdicts(together(FIRST, armed, question=question), [verdict(Action.DISARM)])
    assert effects == (
        entered(Phase.DISARM_OFF, 2), ChannelOff(2, "channel 2: disarmed: verifying off"), said(),
    )  # fmt: skip
    expected = armed._replace(
        phase=Phase.DISARM_OFF, since_ns=NOW_NS, off_ns=NOW_NS, amplitude=0.0, token=0, warned=frozenset(), mean=Mean()
    )
    assert after.channels == (FIRST, expected)
    assert after.question == (question if kept else None)


# a result that counts no more


@pytest.mark.parametrize("own", [*ARMED_WITH, Phase.RECHECK])
def test_a_void_result_leaves_its_group_and_disarms_those_armed_with_it(own: Phase) -> None:
    for phase in Phase:
        void, other = SECOND._replace(phase=own), THIRD._replace(phase=phase)
        state = together(FIRST._replace(phase=Phase.QUEUED), void, other, group=(2, 3), question=question_to(1))
        after, effects = take_verdicts(state, [verdict(Action.VOID)])
        checked = Stimulation(void_code="code", void_text="text of code")
        expected = void._replace(
            phase=Phase.VOID_OFF, since_ns=NOW_NS, off_ns=NOW_NS, amplitude=0.0, token=0, warned=frozenset(),
            mean=Mean(), figures=None, stimulation=checked,
        )  # fmt: skip
        assert after.channels[:2] == (state.channels[0], expected)
        assert after.group == (3,)
        disarmed = own in ARMED_WITH and phase in ARMED_WITH
        assert (after.channels[2].phase is Phase.DISARM_OFF) is (disarmed or phase is Phase.DISARM_OFF)
        assert [type(effect) for effect in effects[:-2]] in ([Off], [ChannelOff], [Off, Off], [Off, ChannelOff])
        assert len(effects) == (4 if disarmed else 3)
        assert effects[-2:] == (said(), entered(Phase.VOID_OFF, 2))
        assert after.question == (None if own in ARMED_WITH else question_to(1))


@pytest.mark.parametrize(("asked", "kept"), [(2, False), (1, True)])
def test_what_a_void_channel_was_asked_is_no_question_now(asked: int, *, kept: bool) -> None:
    state = together(FIRST, SECOND._replace(phase=Phase.ANAESTHETIC_WAIT), question=question_to(asked))
    after, _ = take_verdicts(state, [verdict(Action.VOID)])
    assert after.question == (question_to(asked) if kept else None)


def test_only_what_is_in_the_group_is_disarmed_with_it() -> None:
    armed = (FIRST._replace(phase=Phase.ARMED), SECOND._replace(phase=Phase.ARMED), THIRD._replace(phase=Phase.ARMED))
    after, _ = take_verdicts(together(*armed, group=(2, 3), question=question_to(1)), [verdict(Action.VOID)])
    assert [channel.phase for channel in after.channels] == [Phase.ARMED, Phase.VOID_OFF, Phase.DISARM_OFF]
    outside = together(*armed, group=(1, 3), question=question_to(1))
    after, _ = take_verdicts(outside, [verdict(Action.VOID)])
    assert [channel.phase for channel in after.channels] == [Phase.ARMED, Phase.VOID_OFF, Phase.ARMED]
    assert (after.group, after.question) == ((1, 3), question_to(1))


# a channel that is dropped


def test_a_dropped_channel_is_off_and_the_others_go_on() -> None:
    state = dropping(FIRST, SECOND, group=(1, 2))
    after, effects = take_verdicts(state, [verdict(Action.WARN, 1, "first"), verdict()])
    off = ChannelOff(2, "channel 2: dropped: verifying off")
    assert effects == (off, said(level=Level.TRIP), said("first", 1))
    dropped = SECOND._replace(phase=Phase.DROP_OFF, since_ns=NOW_NS, mean=Mean(), off_ns=NOW_NS, amplitude=0.0, token=0)
    assert after.channels == (FIRST._replace(warned=frozenset({"old", "first"})), dropped)
    assert (after.trips, after.group, after.stage) == ((verdict(),), (1,), Stage.TREATING)
    assert after.results == (SiteResult(1, None, None, REFERENCE, (FIGURES,), "text of code"),)


def may_drop(state: KernelState, **of: object) -> bool:
    after, effects = take_verdicts(state, [verdict(**of)])  # type: ignore[arg-type]
    dropped = after.stage is Stage.TREATING
    assert isinstance(effects[0], Off | ChannelOff)
    assert (after.channels[-1].phase is Phase.ENDED) is not dropped
    return dropped


DROP = dropping(FIRST, SECOND, THIRD)
DONE = SiteResult(0, None, None, None, (), "delivered as planned")


@pytest.mark.parametrize(
    ("state", "of", "dropped"),
    [
        (DROP, {}, True),
        (DROP, {"channel": 1}, True),
        (together(FIRST, SECOND), {}, False),
        (DROP, {"origin": Origin.DEVICE}, False),
        (DROP, {"stops_all": True}, False),
        (DROP, {"channel": 0}, False),
        (DROP._replace(stage=Stage.CHECKLIST), {}, False),
        (DROP._replace(channels=(FIRST, IDLE, THIRD)), {}, False),
        (DROP._replace(channels=(IDLE, SECOND, IDLE), results=(DONE,)), {}, True),
        (DROP._replace(channels=(IDLE, SECOND, IDLE), results=(DONE, DONE)), {}, False),
        (DROP._replace(channels=(FIRST, SECOND, IDLE), results=(DONE, DONE)), {}, True),
        (
            DROP._replace(channels=(FIRST._replace(phase=Phase.DROP_OFF), SECOND, IDLE), results=(DONE, DONE)), {},
            False,
        ),
        (DROP._replace(channels=(FIRST._replace(phase=Phase.DONE), SECOND, IDLE), results=(DONE, DONE)), {}, False),
    ],
)  # fmt: skip
def test_a_channel_is_dropped_where_the_plan_says_so_the_cause_is_its_own_and_work_is_left(
    state: KernelState, of: dict[str, object], *, dropped: bool
) -> None:
    assert may_drop(state, **of) is dropped


@pytest.mark.parametrize("phase", [Phase.DROP_OFF, Phase.DROPPED, Phase.DONE])
def test_what_is_over_is_not_dropped_again(phase: Phase) -> None:
    state = dropping(FIRST, SECOND._replace(phase=phase), THIRD, group=(2, 3))
    assert take_verdicts(state, [verdict()]) == (state, ())


def test_two_that_are_dropped_at_once_are_off_before_anything_is_said() -> None:
    state = dropping(FIRST, SECOND, THIRD)
    after, effects = take_verdicts(state, [verdict(channel=1, code="one"), verdict(channel=3, code="three")])
    assert [(type(effect), effect.channel) for effect in effects if not isinstance(effect, Off)] == [
        (ChannelOff, 3), (Note, 3), (ChannelOff, 1), (Note, 1),
    ]  # fmt: skip
    assert [result.site for result in after.results] == [0, 2]


def test_where_one_may_not_be_dropped_all_ends() -> None:
    verdicts = [verdict(channel=1, code="one"), verdict(channel=3, code="three", stops_all=True)]
    after, effects = take_verdicts(dropping(FIRST, SECOND, THIRD), [verdict(Action.WARN, 2, "warned"), *verdicts])
    assert effects == (
        Off("text of one"), said("one", 1, Level.TRIP), said("three", 3, Level.TRIP), said("warned"),
    )  # fmt: skip
    assert after.trips == tuple(verdicts)
    assert after.stage is Stage.ENDING


def test_a_site_that_is_left_out_ends_as_its_fault_would() -> None:
    void = SECOND._replace(stimulation=Stimulation(void_code="moved", void_text="impedance too high"))
    event = Answered(NOW_NS, Question.POSITION, Choice.LEAVE_OUT, "Dr. B")
    text = "impedance too high; left out by Dr. B"
    expected = Trip("moved", "HZ-08", 2, NAN, NAN, "1", NOW_NS, text, Action.REFUSE, Origin.PROCESS)
    after, _ = leave_out(dropping(FIRST, void), 2, event)
    assert repr(after.trips) == repr((expected,))
    assert after.stage is Stage.TREATING
    after, effects = leave_out(together(FIRST, void), 2, event)
    assert repr(after.trips) == repr((expected,))
    assert effects == (Off(text), Note(Level.TRIP, 2, "moved", text))
    assert (after.outcome, after.exit_code) == (Outcome.REFUSED, 3)


# the end


def test_an_event_s_verdict_has_no_numbers() -> None:
    made = event_trip("code", "HZ-1", "text", 5, Origin.DEVICE)
    expected = Trip("code", "HZ-1", 0, NAN, NAN, "1", 5, "text", Action.TRIP, Origin.DEVICE)
    assert repr(made) == repr(expected)


@pytest.mark.parametrize(
    ("action", "origin", "outcome", "exit_code"),
    [
        (Action.REFUSE, Origin.PROCESS, Outcome.REFUSED, 3),
        (Action.REFUSE, Origin.DEVICE, Outcome.REFUSED, 3),
        (Action.TRIP, Origin.PROCESS, Outcome.STOPPED, 3),
        (Action.TRIP, Origin.DEVICE, Outcome.FAILED, 4),
    ],
)
def test_the_first_verdict_decides_how_it_ends(
    action: Action, origin: Origin, outcome: Outcome, exit_code: int
) -> None:
    cause = verdict(action, 0, "cause", origin)
    other = verdict(Action.TRIP, 1, "other", Origin.DEVICE if origin is Origin.PROCESS else Origin.PROCESS)
    after, effects = trip(together(FIRST, SECOND), [cause, other])
    assert (after.outcome, after.exit_code, after.ending) == (outcome, exit_code, "text of cause")
    assert after.trips == (cause, other)
    assert effects == (Off("text of cause"), said("cause", 0, Level.TRIP), said("other", 1, Level.TRIP))


def test_a_verdict_that_is_known_of_the_channel_is_not_said_again() -> None:
    state = together(FIRST, SECOND, trips=(verdict(),))
    assert trip(state, [verdict()]) == (state, ())
    after, effects = trip(state, [verdict(), verdict(channel=1), verdict(code="other")])
    assert effects == (Off("text of code"), said("code", 1, Level.TRIP), said("other", 2, Level.TRIP))
    assert after.trips == (verdict(), verdict(channel=1), verdict(code="other"))


@pytest.mark.parametrize("stage", [Stage.ENDING, Stage.RELEASING, Stage.ENDED])
@pytest.mark.parametrize("outcome", Outcome)
def test_a_verdict_after_the_end_turns_off_again_and_spoils_only_what_was_complete(
    stage: Stage, outcome: Outcome
) -> None:
    state = together(IDLE, IDLE, stage=stage, outcome=outcome, exit_code=0, ending="before", off_ns=3)
    after, effects = trip(state, [verdict()])
    assert effects == (Off("text of code"), said("code", 2, Level.TRIP))
    spoilt = {"outcome": Outcome.FAILED, "exit_code": 4, "ending": "text of code"}
    expected = state._replace(trips=(verdict(),), off_ns=NOW_NS)
    assert after == (expected._replace(**spoilt) if outcome is Outcome.COMPLETE else expected)


def test_the_end_turns_everything_off_and_keeps_what_was_delivered() -> None:
    for phase in Phase:
        loop = Loop(silent_ns=5, waiting=(4, 5))
        state = together(FIRST._replace(phase=phase), IDLE, results=(DONE,), question=question_to(1), loop=loop)
        after, effects = end(state, Outcome.STOPPED, 3, "stopped", NOW_NS)
        over = phase in {Phase.DONE, Phase.DROPPED, Phase.DROP_OFF}
        unfinished = () if over else (SiteResult(0, None, None, REFERENCE, (FIGURES,), "stopped"),)
        ended = {"phase": Phase.ENDED, "since_ns": NOW_NS, "site": -1, "off_ns": NOW_NS, "amplitude": 0.0, "token": 0}
        assert effects == (Off("stopped"),)
        assert after == state._replace(
            stage=Stage.ENDING, since_ns=NOW_NS, off_ns=NOW_NS,
            channels=tuple(channel._replace(**ended) for channel in state.channels), results=(DONE, *unfinished),
            question=None, loop=Loop(silent_ns=5), outcome=Outcome.STOPPED, exit_code=3, ending="stopped",
        )  # fmt: skip
